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
#include "sched/counters.h"
#include "sched/pool.h"
#include "sched/task.h"
#include "sched/timers.h"

struct descriptors;
struct poller;

/* Calls that a task may make in one turn, if it need not wait for them. */
#define MAX_CALLS 64

/* Turns between two looks at the clock. */
#define TURNS_PER_ROUND 61

/* Turns of tasks that were just woken, while others are in the queue. */
#define MAX_IN_A_ROW 32

/* Tasks that can run, first in, first out. */
struct queue {
    struct moat_task *first, *last;
    _Atomic size_t count; /* changes under the lock; any thread may read it */
};

struct gather;
struct quit;
struct trace;

/*
 * A run. With more than one thread, `lock` protects all of it: its tasks,
 * groups and channels. A worker releases the lock while a task runs. With one
 * thread no lock is taken, unless a signal may ask for a dump.
 */
struct sched {
    struct sched *next_run; /* of the process, for debuggers */
    unsigned threads;
    bool locked;  /* others than the one worker read the run */
    bool watched; /* times are measured, or traced           */
    bool driven;  /* the host's loop has the thread (drive.c) */
    pthread_mutex_t lock;
    struct worker *workers;
    struct link fresh;     /* not started, so on no thread (turn.c) */
    unsigned fresh_turns;  /* that began one of them                */
    unsigned asleep;       /* workers                                   */
    struct worker *keeper; /* of the workers asleep, the one that wakes for the
                              next deadline; NULL: none */
    uint64_t keeps_until;
    bool patrolled; /* an idle worker looks for `next` of others (move.h) */
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
    struct link wakers;    /* that tasks wait for */
    struct bells *bells;   /* a worker's is that of its index                 */
    bool reported;         /* a deadlock */
    uint64_t spawned;      /* the number of the last task */
    struct gather *gather; /* dumps for other threads; NULL: none may ask */
    struct quit *quit;     /* a signal may ask; NULL: none                */
    _Atomic(struct descriptors *) descriptors; /* NULL: none was used */
    struct link starved; /* tasks that wait for a free descriptor */
    int spare;           /* a descriptor to refuse clients by; -1: none */
};

/* The turn that is being watched (watch.h). */
struct watch {
    uint64_t begun;
    uint64_t number; /* of the task */
    char name[24];
};

/* The step that a task is making on its own stack (step.h). */
enum step_kind {
    STEP_NONE,
    STEP_WAKE,  /* ends the wait of `to`                          */
    STEP_RING,  /* takes an item out of the buffer of `chan`      */
    STEP_HAND,  /* `from` waits, and transfers to `to`            */
    STEP_SPAWN, /* `to` is new                                   */
    STEP_START, /* `from` joins `to`, which begins               */
    STEP_FINISH /* `from` ends, and transfers to its joiner `to` */
};

struct step {
    enum step_kind kind;
    struct moat_task *from, *to;
    moat_chan *chan;
    /* Values after the step; of one that may be undone, before it. */
    size_t head, count;      /* of the buffer          */
    size_t live, members;    /* of run and group       */
    uint64_t fresh;          /* of the first worker    */
    struct moat_task *spare; /* of the pool            */
    uint64_t returned;       /* of the worker          */
};

struct worker {
    struct sched *run;
    struct moat_task *running;
    bool in_place;        /* tasks of the run may make steps          */
    bool may_step;        /* the running one, which there is, may     */
    unsigned left;        /* calls that the running task may yet make */
    unsigned until_round; /* turns until the next look at the clock   */
    struct step step;
    struct queue ready; /* its count is that of both queues */
    /* Those of its tasks that other threads may take (move.h). */
    struct queue movable;
    uint64_t places; /* given to tasks of both queues, in their order */
    /* The next task to run, woken by the one that had the last turn: what
     * passed between them is still in the cache, and a sender's items do not
     * pile up. NULL: none. */
    struct moat_task *next;
    unsigned in_a_row; /* turns that `next` has had before the queue's */
    /* Its switches when a patrol saw `next` wait; NOT_SEEN: none did. */
    uint64_t seen_at;
    uint64_t now; /* read once per round */
    uint64_t random;
    unsigned fresh_in_a_row; /* turns of tasks that had not started */
    /* The task that the running one has spawned last, among the fresh ones;
     * NULL: none, or it has been taken. */
    struct moat_task *spawned;
    pthread_t thread;
    bool asleep; /* until the bell rings */
    struct bell *bell;
    struct poller *poller;  /* NULL: no task has waited for a descriptor */
    moat_sched_stats stats; /* the run's, for a task that has asked */
    int runners;      /* coroutines that are kept (runner.h)                */
    const void *root; /* where the first function of a coroutine returns to */
    /* Asks on behalf of the host: deferred functions, host calls. */
    struct moat_task host;
    struct watch watch;
    struct trace *trace; /* NULL: none */
    _Atomic int part;    /* of a dump for another thread: enum part */
    /* The last field: it stays what it is for readers when all others are
     * cleared for another run. */
    struct counters counters;
};

/* Returns whether tasks of the worker can run, besides the one that was woken
 * last. */
static inline bool has_ready(const struct worker *worker)
{
    return worker->ready.first != NULL || worker->movable.first != NULL;
}

/* The same, and those that any worker may start. */
static inline bool others_ready(const struct worker *worker)
{
    return has_ready(worker) || !list_empty(&worker->run->fresh);
}

/* Returns whether a task waits for a turn. */
static inline bool can_run(const struct worker *worker)
{
    return worker->next != NULL || others_ready(worker);
}

static inline void run_lock(struct sched *run)
{
    if (MOAT_UNLIKELY(run->locked))
        (void)pthread_mutex_lock(&run->lock);
}

static inline void run_unlock(struct sched *run)
{
    if (MOAT_UNLIKELY(run->locked))
        (void)pthread_mutex_unlock(&run->lock);
}

/* The calling thread's; NULL outside of a run. */
extern _Thread_local
    __attribute__((tls_model("initial-exec"),
                   visibility("hidden"))) struct worker *moat_sched_worker;

#endif
