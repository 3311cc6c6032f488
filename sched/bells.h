/*
 * bells.h: what wakes the workers of a run.
 *
 * Wakers keep the bells of the runs that they were used in, so that a thread or
 * a handler that wakes late, when the run has ended, still finds them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_BELLS_H
#define SCHED_BELLS_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

struct bells {
    _Atomic unsigned users; /* the run, and wakers            */
    _Atomic bool alarm;     /* a waker has been woken         */
    unsigned count;         /* a bell for each worker         */
    sem_t bells[];
};

/* NULL: no memory. Its one user is the caller. */
struct bells *moat_bells_create(unsigned count);
void moat_bells_keep(struct bells *bells);
void moat_bells_drop(struct bells *bells);
/* Rings all of them: async-signal-safe. */
void moat_bells_alarm(struct bells *bells);

#endif
