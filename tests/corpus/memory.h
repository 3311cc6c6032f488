/*
 * memory.h: the owners of memory in a host that runs C libraries as guests.
 *
 * The program's malloc family is replaced. The heap depends on the caller:
 *
 *   the host               the C library's heap
 *   a guest or its set-up  the guest's heap. It is restored after each run, so
 *                          that nothing in it can leak, dangle or stay broken.
 *   the C library, on a    the lent heap, by moat_call_on_parent. Blocks to
 *   guest's stack          which the C library still refers after the run
 *                          stay; the rest is freed.
 *
 * So no guest dies inside an allocator that others need.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_MEMORY_H
#define CORPUS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the two heaps, before any code of a guest is loaded. Returns false with
 * errno set if there is no memory. */
bool memory_open(void);

/* Between true and false, the calling thread works for the guest: it loads the
 * guest and sets it up. */
void memory_prepare(bool preparing);

/* Makes the present state of the guest's heap the one that memory_restore
 * restores. Returns false with errno set if there is no memory. */
bool memory_keep(void);

/* Restores the guest's heap, and frees the blocks of the lent heap to which the
 * C library's writable memory does not refer. To be called between two runs,
 * not in a signal handler. */
void memory_restore(void);

/* Returns whether the present run has aborted because it misused a heap.
 * memory_restore resets it. */
bool memory_was_misused(void);

#endif
