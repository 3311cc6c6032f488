/*
 * run.h: one run of the scheduler and its workers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_RUN_H
#define SCHED_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include "sched/bells.h"
#include "sched/pool.h"
#include "sched/task.h"
#include "sched/timers.h"

struct descriptors;
struct poller;

/* Tasks that can run, first in, first out. */
struct queue {
    struct moat_task *first, *last;
};

/*
 * A run. With more than one thread, `lock` protects all of it: its tasks,
 * groups and channels. A worker releases the lock while a task runs. With one
 * thread no lock is taken.
 */
struct sched {
    unsigned threads;
    pthread_mutex_t lock;
    struct worker *workers;
    struct queue fresh;    /* threads > 1: not started, so on no thread */
    unsigned asleep;       /* workers                                   */
    struct worker *keeper; /* of the workers asleep, the one that wakes for the
                              next deadline; NULL: none */
    uint64_t keeps_until;
    _Atomic uint64_t test_now; /* MOAT_CLOCK_TEST */
    moat_clock clock;
    int report_fd; /* -1: none */
    uint64_t slice_ns;
    struct moat_group root;
    struct moat_task *first;
    moat_result *out;
    size_t live; /* tasks that have not ended */
    struct link everyone;
    struct pool pool;
    struct timers timers;
    struct kinds *kinds;
    struct link wakers;  /* that tasks wait for */
    struct bells *bells; /* a worker's is that of its index                 */
    bool reported;       /* a deadlock */
    _Atomic(struct descriptors *) descriptors; /* NULL: none was used */
    struct link starved; /* tasks that wait for a free descriptor */
    moat_sched_stats stats;
};

struct worker {
    struct sched *run;
    struct moat_task *running;
    struct queue ready;
    /* The next task to run, woken by the one that had the last turn: what
     * passed between them is still in the cache, and a sender's items do not
     * pile up. NULL: none. */
    struct moat_task *next;
    unsigned in_a_row; /* turns that `next` has had before the queue's */
    uint64_t now;      /* read once per round */
    uint64_t random;
    bool took_fresh; /* at the last turn that had a choice */
    pthread_t thread;
    bool asleep; /* until the bell rings */
    struct bell *bell;
    struct poller *poller;  /* NULL: no task has waited for a descriptor */
    moat_sched_stats stats; /* the run's, for a task that has asked */
    /* Asks on behalf of the host: deferred functions, host calls. */
    struct moat_task host;
};

static inline void run_lock(struct sched *run)
{
    if (MOAT_UNLIKELY(run->threads > 1))
        (void)pthread_mutex_lock(&run->lock);
}

static inline void run_unlock(struct sched *run)
{
    if (MOAT_UNLIKELY(run->threads > 1))
        (void)pthread_mutex_unlock(&run->lock);
}

/* The calling thread's; NULL outside of a run. */
extern _Thread_local
    __attribute__((tls_model("initial-exec"),
                   visibility("hidden"))) struct worker *moat_sched_worker;

#endif
