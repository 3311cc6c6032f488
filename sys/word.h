/*
 * word.h: words that threads wait for. No wait is a cancellation point.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_WORD_H
#define MOAT_SYS_WORD_H

#include <stdatomic.h>
#include <stdint.h>

/* Waits while the word has the value, for so long at most; may return sooner.
 * UINT64_MAX: without an end. Signal-safe: yes. */
void moat_word_wait(const atomic_uint *word, unsigned value, uint64_t ns);

/* Wakes all threads that wait for the word, which has just been changed.
 * Signal-safe: yes. */
void moat_word_wake(const atomic_uint *word);

#endif
