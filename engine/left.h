/*
 * left.h: guests that were left by a longjmp.
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

#endif
