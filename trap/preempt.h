/*
 * preempt.h: guests suspended at the end of their time slice.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_PREEMPT_H
#define MOAT_TRAP_PREEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trap/coroutine.h"

/* Suspends the running guest, on its own stack, until it is resumed. The engine
 * sets it. */
extern void (*moat_preempt_suspend)(void);

/* Of a slice: by how much the timer may be late. */
uint64_t moat_slice_slack(uint64_t slice_ns);

/* Returns whether the slice of this guest, which runs, is over; if it is not,
 * *look_at is when to look again. NULL is allowed. Signal-safe: yes. */
bool moat_slice_is_over(const struct co *co, uint64_t now, uint64_t *look_at);

/* Returns when to look again at the slices of the guests from `innermost`
 * outwards; it may be NULL. One that has resumed another cannot be suspended
 * before it runs again. Signal-safe: yes. */
uint64_t moat_slices_look(const struct co *innermost, uint64_t now);

/* Leads the running guest to the code that suspends it. False: its stack has no
 * room left for its registers, or it runs code that cannot be suspended.
 * Signal-safe: yes. */
bool moat_preempt(struct co *co, void *ucontext, int saved_errno);

/* Notes that the guest is on its way out, with its frames above `sp`. */
static inline void moat_preempt_begin(struct moat_preemption *preemption,
                                      uintptr_t sp)
{
    preemption->words.sp = sp;
    preemption->looks = 0;
    preemption->suspended = false;
    preemption->under_way = true;
}

/* Returns whether a suspended guest was preempted: then it waits at any of its
 * instructions, and not in a yield. */
static inline bool moat_is_preempted(const struct co *co)
{
    return (co->traits & CO_LIMITED) != 0 &&
           moat_guest_clock_of(co)->limits.slice_ns != 0 &&
           moat_preemption_of(co)->suspended;
}

#endif
