/*
 * bells.h: what wakes the workers of a run.
 *
 * Wakers and jobs keep the bells of the runs that they were used in, so that a
 * thread or a handler that wakes late, when the run has ended, still finds
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_BELLS_H
#define SCHED_BELLS_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A worker sleeps on the semaphore; or, if it has descriptors to wait for, in
 * its poller, which watches `descriptor`. */
struct bell {
    sem_t rings;
    _Atomic int descriptor; /* an eventfd; -1: none yet              */
    _Atomic bool polling;   /* the worker sleeps in its poller       */
    _Atomic bool rung;      /* since the worker has last silenced it */
};

/* A piece of work that a thread outside of the run has finished. */
struct done {
    struct done *next;
    void (*drop)(struct done *done); /* frees it, after the run */
};

struct bells {
    _Atomic unsigned users;     /* the run, wakers, jobs           */
    _Atomic bool alarm;         /* something outside has happened  */
    _Atomic(struct done *) all; /* what is done, the last one first */
    unsigned count;             /* a bell for each worker          */
    struct bell bells[];
};

/* NULL: no memory. Its one user is the caller. */
struct bells *moat_bells_create(unsigned count);
void moat_bells_keep(struct bells *bells);
void moat_bells_drop(struct bells *bells);
/* Rings all of them: async-signal-safe. */
void moat_bells_alarm(struct bells *bells);
/* Adds to what is done, and rings. */
void moat_bells_add(struct bells *bells, struct done *done);

/* Rings one: async-signal-safe. */
void moat_bell_ring(struct bell *bell);
/* Makes the descriptor that a poller watches. Returns it; -1: none, and errno
 * is set. */
int moat_bell_open(struct bell *bell);
/* Around a sleep in the poller. Returns whether the bell has rung already: then
 * the worker must not sleep. */
bool moat_bell_begin_polling(struct bell *bell);
void moat_bell_end_polling(struct bell *bell);
/* Drops the rings that have come. */
void moat_bell_silence(struct bell *bell);

#endif
