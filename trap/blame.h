/*
 * blame.h: host code that runs for a guest, and the guest that answers for its
 * faults.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_BLAME_H
#define MOAT_TRAP_BLAME_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "trap/coroutine.h"

/* A call of host code on the host's stack whose faults are a guest's. It lies
 * off all stacks. */
struct moat_blame {
    moat_co landing; /* where a fault continues, below the faulting frames  */
    struct co *co;   /* the guest; NULL: faults are the host's              */
    uintptr_t top;   /* its return address is here, its frames lie below     */
};

/* That of this thread's innermost host call; NULL: none, or its faults are the
 * host's. The handler of the same thread is the only other reader. */
extern __thread struct moat_blame *volatile moat_blame
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Returns the blame under which the context runs: the thread is on no guest's
 * stack, but in frames of such a call. NULL: there is none. Signal-safe: yes.
 */
struct moat_blame *moat_blame_find(const void *ucontext);

/* Takes the blame off the thread: another fault is the host's. Points its
 * landing below the frames of the context, where blame->landing.resumer_pc
 * is called. Signal-safe: yes. */
void moat_blame_aim(struct moat_blame *blame, const void *ucontext);

#endif
