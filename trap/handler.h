/*
 * handler.h: the signal handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_HANDLER_H
#define MOAT_TRAP_HANDLER_H

#include <signal.h>
#include <stdbool.h>

#include "trap/coroutine.h"

/* The handler of all signals of a fault. */
void moat_trap_on_signal(int signo, siginfo_t *info, void *ucontext);

/* Lets other copies of this library offer their faults to this one. */
void moat_trap_serve_copies(void);

/* Goes to the landing that a context was redirected to, if it was. */
void moat_trap_land(const void *ucontext);

/* The end of every handler that may have redirected its context: returns, or,
 * where the port does not rewrite contexts, goes to the landing. Signal-safe:
 * yes. */
static inline void moat_trap_end_handler(const void *ucontext)
{
    if (!MOAT_ARCH_REDIRECTS)
        moat_trap_land(ucontext);
}

/* Stops the running coroutine, whose trap record is filled in, and redirects
 * the context to its resumer. Signal-safe: yes. */
void moat_trap_stop(struct co *co, void *ucontext);

#endif
