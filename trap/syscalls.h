/*
 * syscalls.h: system calls of guests with a policy, dispatched by the kernel as
 * SIGSYS (sys/filter.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_SYSCALLS_H
#define MOAT_TRAP_SYSCALLS_H

#include <signal.h>
#include <stdbool.h>

#include "sys/filter.h"
#include "trap/coroutine.h"

/* Decides and makes the call of the running guest, on its own stack, and
 * returns once its result is set. The engine sets both; `bytes` is the stack
 * that it takes. */
extern void (*moat_calls_decide)(void);
extern size_t moat_calls_decide_bytes;

/* The next step after a SIGSYS. */
enum moat_dispatch {
    MOAT_DISPATCH_NONE, /* no call of this thread: the previous handler's    */
    MOAT_DISPATCH_LED,  /* the context is on its way                         */
    MOAT_DISPATCH_ASK,  /* a policy decides: moat_calls_ask                  */
    MOAT_DISPATCH_TRAP, /* the call is denied                                */
    MOAT_DISPATCH_ROOM, /* no stack is left to ask on: an overflow           */
    MOAT_DISPATCH_BOUND /* the thread must not make it (sys/confine.h)       */
};

/* Finds out who made the call of a SIGSYS, and leads calls of the host's
 * handlers on their way. The filter is paused. Signal-safe: yes. */
enum moat_dispatch moat_calls_dispatch(const siginfo_t *info, void *ucontext);

/* Leads the running guest to moat_calls_decide. Signal-safe: yes. */
void moat_calls_ask(struct co *co, void *ucontext, int saved_errno);

/* Fills in the record's part about the call. Signal-safe: yes. */
void moat_calls_describe(const siginfo_t *info, const void *ucontext,
                         struct moat_trap_record *record);

/* The first and the last statement of a handler about the filter: it is paused
 * in between, and on again for what was interrupted, unless the handler leads
 * that away. Signal-safe: yes. */
unsigned char moat_calls_interrupt(void *ucontext);
void moat_calls_continue(unsigned char before, void *ucontext);

static inline unsigned char moat_calls_begin(void *ucontext)
{
    return moat_filter.armed ? moat_calls_interrupt(ucontext) : MOAT_FILTER_OFF;
}

static inline void moat_calls_end(unsigned char before, void *ucontext)
{
    if (before != MOAT_FILTER_OFF)
        moat_calls_continue(before, ucontext);
}

/* The same for a handler of the host's that has called this library: its own
 * return, which is dispatched, leads to what was interrupted. */
void moat_calls_end_inside(unsigned char before, const void *ucontext);

/* Sets the filter for `running`, whose code is about to run; NULL: the host's.
 * Signal-safe: yes. */
void moat_calls_enter(struct co *running);

#endif
