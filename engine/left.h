/*
 * left.h: guests that were left, by a longjmp or by a trap of another copy.
 *
 * Nothing of moat runs at a longjmp. The thread's word still names the guest,
 * so functions that are called seldom compare the stack pointer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_LEFT_H
#define MOAT_ENGINE_LEFT_H

#include <moat/moat.h>

#include "trap/coroutine.h"

/* MOAT_E_STACK: the running guest, or the one whose host call runs, was left.
 * Signal-safe: yes. */
moat_status moat_left_check(void);

/* Ends the guests of this thread that were left, without running their code.
 * Returns whether `co` is ended now. */
bool moat_left_end(struct co *co);

/* The frames between the two addresses were left for good, by a trap of another
 * copy of this library: guests of this thread that were resumed from there are
 * done, as is what they resumed. */
void moat_left_by_copy(uintptr_t low, uintptr_t high);

#endif
