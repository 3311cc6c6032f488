/*
 * idle.c: time that passes, and what is done when no task can run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <time.h>

#include "sched/clock.h"
#include "sched/gather.h"
#include "sched/idle.h"
#include "sched/io/fire.h"
#include "sched/move.h"
#include "sched/report.h"
#include "sched/wait.h"
#include "sched/waker.h"

void moat_idle_fire(struct worker *worker)
{
    uint64_t now = moat_clock_read(worker);
    struct sched *run = worker->run;
    struct moat_task *task;

    while ((task = moat_timers_due(&run->timers, now)) != NULL) {
        count(&worker->counters, COUNT_TIMEOUTS);
        moat_sched_give_up(worker, task, task->waits_in->late);
    }
}

/* ---- Deadlock ----------------------------------------------------------- */

static bool is_stuck(const struct moat_task *task, bool on_tasks)
{
    const struct op *op = task->waits_in;

    return task->state == TASK_WAITING && op->on_tasks == on_tasks &&
           (!op->to_the_end || op->may_be_stuck);
}

static size_t give_up(struct worker *worker, bool on_tasks)
{
    struct link *everyone = &worker->run->everyone;
    size_t count = 0;

    for (struct link *at = everyone->next; at != everyone; at = at->next) {
        struct moat_task *task = LINKED(at, struct moat_task, everyone);

        if (is_stuck(task, on_tasks)) {
            moat_sched_give_up(worker, task, MOAT_E_DEADLOCK);
            count++;
        }
    }
    return count;
}

/* Something outside may still wake a task. */
static bool outside_may_come(const struct sched *run)
{
    for (const struct link *at = run->everyone.next; at != &run->everyone;
         at = at->next) {
        const struct moat_task *task =
            LINKED(at, const struct moat_task, everyone);

        if (task->state == TASK_WAITING && task->waits_in->from_outside)
            return true;
    }
    return false;
}

/* Waits for tasks are ended only if there are no others: the tasks that they
 * wait for may end now. */
static void deadlock(struct worker *worker)
{
    count(&worker->counters, COUNT_DEADLOCKS);
    moat_report_deadlock(worker);
    if (give_up(worker, false) == 0)
        (void)give_up(worker, true);
}

/* ---- Sleep -------------------------------------------------------------- */

/* Looks at the bell before a sleep: a thread that is about to ring takes less
 * time than a system call. */
#define LOOKS 100

static void sleep_until(struct worker *worker, uint64_t deadline)
{
    struct timespec until = {(time_t)(deadline / 1000000000u),
                             (long)(deadline % 1000000000u)};

    for (unsigned i = 0; i < LOOKS && worker->run->threads > 1; i++)
        if (sem_trywait(&worker->bell->rings) == 0)
            return;
    /* A signal only makes the worker look again. */
    if (worker->poller != NULL)
        moat_descriptors_sleep(worker, deadline);
    else if (deadline == MOAT_NO_DEADLINE)
        (void)sem_wait(&worker->bell->rings);
    else
        (void)sem_clockwait(&worker->bell->rings, CLOCK_MONOTONIC, &until);
}

/* Sleeps without the lock, until the bell rings or the deadline passes. */
static void sleep_unlocked(struct worker *worker, uint64_t deadline)
{
    struct sched *run = worker->run;

    worker->asleep = true;
    run->asleep++;
    run_unlock(run);
    sleep_until(worker, deadline);
    moat_bell_silence(worker->bell);
    run_lock(run);
    if (worker->asleep) {
        worker->asleep = false;
        run->asleep--;
    }
    moat_descriptors_fire(worker);
}

/* One of the sleeping workers wakes for the next deadline. If it then has work
 * of its own, it wakes another to keep the time. */
static void keep_time(struct worker *worker, uint64_t next)
{
    struct sched *run = worker->run;

    run->keeper = worker;
    run->keeps_until = next;
    sleep_unlocked(worker, next);
    run->keeper = NULL;
    moat_idle_fire(worker);
    if (run->timers.armed != 0 && others_ready(worker))
        moat_sched_ring_one(run);
}

/* Everyone else sleeps: nothing will happen by itself. */
static bool is_last(const struct worker *worker)
{
    return worker->run->asleep + 1 == worker->run->threads;
}

void moat_idle(struct worker *worker)
{
    struct sched *run = worker->run;
    uint64_t next = moat_timers_next(&run->timers);
    uint64_t patrol;

    if (run->watched)
        (void)moat_clock_read(worker);
    moat_wakers_look(worker);
    moat_gather_look(worker);
    if (run->clock == MOAT_CLOCK_TEST)
        moat_descriptors_look(worker); /* before time jumps */
    if (has_ready(worker) || moat_move_offered(worker))
        return;
    patrol = moat_move_patrol(worker);
    if (is_last(worker) && next == MOAT_NO_DEADLINE && !outside_may_come(run)) {
        deadlock(worker);
    } else if (is_last(worker) && run->clock == MOAT_CLOCK_TEST &&
               next != MOAT_NO_DEADLINE) {
        atomic_store_explicit(&run->test_now, next, memory_order_relaxed);
        moat_idle_fire(worker);
    } else if (run->clock == MOAT_CLOCK_REAL && run->keeper == NULL &&
               next != MOAT_NO_DEADLINE) {
        keep_time(worker, next < patrol ? next : patrol);
    } else {
        sleep_unlocked(worker, patrol);
    }
}
