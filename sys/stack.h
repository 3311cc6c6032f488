/*
 * stack.h: the stack that the system gave a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_STACK_H
#define MOAT_SYS_STACK_H

#include <stdint.h>

/* The addresses that the stack may use; base is exclusive. Both 0: not known.
 */
struct moat_own_stack {
    uintptr_t limit, base;
};

/* Asks for this thread's. Takes the heap, and reads a file for the first
 * thread of the process. */
struct moat_own_stack moat_ask_own_stack(void);

/* Returns the stack of the first thread, if this is the first. Signal-safe:
 * yes. */
struct moat_own_stack moat_first_stack(void);

#endif
