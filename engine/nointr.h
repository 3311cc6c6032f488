/*
 * nointr.h: uninterruptible sections: the engine's own code on a guest's stack.
 *
 * Guests create, resume and destroy coroutines, too. A deadline must not stop a
 * guest in the middle of the engine, and the engine must not overflow a guest's
 * stack while it holds a lock. So an entry point first checks that enough stack
 * is left, then opens a section in which deadlines wait. On the host's stack
 * there are neither deadlines nor a limit, and all of this does nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_NOINTR_H
#define MOAT_ENGINE_NOINTR_H

#include <moat/moat.h>

#include "trap/coroutine.h"

/* The stack that an entry point needs at most: most of them; a host call, which
 * an allocator may make for each block; a walk over a stack, and a guess of
 * libunwind's on the way; one frame's line of text; the names that are in
 * memory; those of symbol tables; lines, where libdw takes by far the most
 * (157 KiB). fault.small_stacks.best measures them all. */
#define MOAT_STACK_FOR_ENTRY     ((size_t)8 << 10)
#define MOAT_STACK_FOR_HOST_CALL ((size_t)2 << 10)
#define MOAT_STACK_FOR_WALK      ((size_t)8 << 10)
#define MOAT_STACK_FOR_GUESS     ((size_t)48 << 10)
#define MOAT_STACK_FOR_TEXT      ((size_t)16 << 10)
#define MOAT_STACK_FOR_EXPORTS   ((size_t)8 << 10)
#define MOAT_STACK_FOR_TABLES    ((size_t)48 << 10)
#define MOAT_STACK_FOR_LINES     ((size_t)192 << 10)

moat_status moat_guest_nointr_begin(size_t stack_bytes);
void moat_guest_nointr_end(void);
void moat_guest_nointr_enter(void);
void moat_guest_nointr_leave(void);
moat_status moat_guest_sealed_begin(size_t stack_bytes);
void moat_guest_sealed_enter(void);
void moat_guest_sealed_end(void);
void moat_guest_stack_require(size_t stack_bytes);

/* Opens a section if `stack_bytes` are left, else returns MOAT_E_LIMIT. */
static inline moat_status moat_nointr_begin(size_t stack_bytes)
{
    return moat_running() != NULL ? moat_guest_nointr_begin(stack_bytes)
                                  : MOAT_OK;
}

/* Closes a section. A deadline that passed meanwhile stops the guest here. */
static inline void moat_nointr_end(void)
{
    if (moat_running() != NULL)
        moat_guest_nointr_end();
}

/* The same without the check, for what must not fail; and without the stop: the
 * timer comes again for a deadline that has passed. */
static inline void moat_nointr_enter(void)
{
    if (moat_running() != NULL)
        moat_guest_nointr_enter();
}

static inline void moat_nointr_leave(void)
{
    if (moat_running() != NULL)
        moat_guest_nointr_leave();
}

/* Opens and closes a section in which signals wait as well (sys/seal.h), for
 * entry points that change what outlives the guest: lists, the heap. With the
 * check of the stack, and without. It takes two system calls on a guest's
 * stack, and contains no switch. */
static inline moat_status moat_sealed_begin(size_t stack_bytes)
{
    return moat_running() != NULL ? moat_guest_sealed_begin(stack_bytes)
                                  : MOAT_OK;
}

static inline void moat_sealed_enter(void)
{
    if (moat_running() != NULL)
        moat_guest_sealed_enter();
}

static inline void moat_sealed_end(void)
{
    if (moat_running() != NULL)
        moat_guest_sealed_end();
}

/* For entry points that return no status: if less stack is left the guest traps
 * here with an overflow, before anything has been changed. Where such a trap is
 * not allowed (a no-trap section, a policy that spares moat's code) it is
 * fatal. */
static inline void moat_stack_require(size_t stack_bytes)
{
    if (moat_running() != NULL)
        moat_guest_stack_require(stack_bytes);
}

/* An address in moat's own code, which is never registered. */
#define MOAT_PC_OF_ENGINE ((uintptr_t)0)

/* Stops the guest if a deadline passed while it had to wait, no section is open
 * any more and the policy allows it at `pc`. Otherwise the timer comes again.
 */
void moat_nointr_catch_up(struct co *co, uintptr_t pc);

/* Before the guest leaves: stops it in the same way if its totals of time were
 * used up when it was entered. The timer need not have met it in a short
 * resume. */
void moat_totals_catch_up(struct co *co, uintptr_t pc);

#endif
