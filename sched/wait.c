/*
 * wait.c: waiting and waking. However a wait ends, the task first leaves all
 * queues and its timer, so that no queue has an entry of a task that is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/wait.h"
#include "sched/clock.h"
#include "sched/move.h"

void moat_sched_ring(struct worker *worker)
{
    if (!worker->asleep)
        return;
    worker->asleep = false;
    worker->run->asleep--;
    moat_bell_ring(worker->bell);
}

void moat_sched_ring_one(struct sched *run)
{
    for (unsigned i = 0; run->asleep != 0 && i < run->threads; i++)
        if (run->workers[i].asleep) {
            moat_sched_ring(&run->workers[i]);
            return;
        }
}

/* Its turn comes at once if its home sleeps, or as soon as the turn is over in
 * which it was put there. */
static bool is_at_once(const struct worker *worker,
                       const struct moat_task *task)
{
    const struct worker *home = task->home;

    return home->asleep || (home == worker && (worker->running == NULL ||
                                               worker->running == task));
}

void moat_sched_hand_over(struct worker *worker, struct moat_task *task)
{
    struct worker *home = task->home;

    task->place = ++home->places;
    if (!move_allowed(task)) {
        queue_append(&home->ready, task);
    } else {
        queue_change(&home->ready, 1);
        queue_append(&home->movable, task);
        if (!is_at_once(worker, task))
            moat_sched_ring_one(home->run);
    }
    moat_sched_ring(home);
}

/* ---- Tasks that have not started ----------------------------------------
 *
 * Those that one task spawns in a turn stay in their order, and come before
 * older ones: a tree of tasks runs depth first, so that few of its tasks live
 * at a time, and those have memory that is still in the cache. None waits for
 * ever: each OLDEST_EVERYth that is taken is the oldest.
 */
static struct moat_task *fresh_of(struct link *at)
{
    return LINKED(at, struct moat_task, waiter.link);
}

void moat_sched_offer(struct worker *worker, struct moat_task *task)
{
    struct sched *run = worker->run;

    list_append(moat_sched_place_of_new(worker)->next, &task->waiter.link);
    task->state = TASK_READY;
    task->spawner = worker;
    task->ready_since = worker->now;
    worker->spawned = task;
    fresh_change(run, 1);
    moat_sched_ring_one(run);
}

static void take_out(struct moat_task *task)
{
    list_unlink(&task->waiter.link);
    fresh_change(task->spawner->run, (uint64_t)-1);
    if (task->spawner->spawned == task)
        task->spawner->spawned = NULL;
}

struct moat_task *moat_sched_take_fresh(struct sched *run)
{
    struct moat_task *task;

    if (list_empty(&run->fresh))
        return NULL;
    task = fresh_of(++run->fresh_turns % OLDEST_EVERY == 0 ? run->fresh.prev
                                                           : run->fresh.next);
    take_out(task);
    return task;
}

void moat_sched_defer_to_spawned(struct worker *worker)
{
    struct moat_task *last = worker->spawned, *task;

    if (worker->run->threads > 1 || last == NULL)
        return;
    do {
        task = fresh_of(worker->run->fresh.next);
        take_out(task);
        task->home = worker;
        enqueue(worker, task);
    } while (task != last);
}

/* The one that wakes for the next deadline must know of an earlier one. */
static void tell_keeper(struct sched *run, uint64_t deadline)
{
    if (run->keeper != NULL && deadline < run->keeps_until)
        moat_sched_ring(run->keeper);
}

static bool is_over(struct worker *worker, const struct op *op,
                    uint64_t deadline)
{
    return deadline == 0 || (deadline != MOAT_NO_DEADLINE && !op->from_now &&
                             deadline <= moat_clock_read(worker));
}

bool moat_sched_may_wait(struct worker *worker, struct moat_task *task,
                         uint64_t deadline, const void *object,
                         enum verdict *verdict)
{
    *verdict = GOES_ON;
    if (is_host(task)) {
        task->status = MOAT_E_STATE;
        return false;
    }
    if (task->unwinding && !task->op->to_the_end) {
        task->status = MOAT_E_CANCELLED;
        return false;
    }
    if (is_over(worker, task->op, deadline)) {
        task->status = task->op->late;
        return false;
    }
    if (deadline != MOAT_NO_DEADLINE &&
        !moat_timers_set(&worker->run->timers, task, deadline)) {
        task->status = MOAT_E_NOMEM;
        return false;
    }
    if (deadline != MOAT_NO_DEADLINE) {
        tell_keeper(worker->run, deadline);
        count(&worker->counters, COUNT_TIMERS_SET);
    }
    *verdict = QUEUED;
    begin_wait(worker, task, object);
    if (task->cancelled && !task->unwinding && !task->op->to_the_end) {
        moat_sched_wake(worker, task, MOAT_E_CANCELLED);
        return false;
    }
    return true;
}

void moat_sched_wake_slowly(struct worker *worker, struct moat_task *task,
                            moat_status status)
{
    for (size_t i = 0; i < task->waiter_count; i++)
        list_unlink(&task->waiters[i].link);
    task->waiter_count = 0;
    if (task->timer != 0) {
        moat_timers_clear(&worker->run->timers, task);
        count(&worker->counters, COUNT_TIMERS_GONE);
    }
    let_run(worker, task, status);
}

void moat_sched_give_up(struct worker *worker, struct moat_task *task,
                        moat_status status)
{
    const struct op *op = task->waits_in;

    moat_sched_wake(worker, task, status);
    if (op->leaves != NULL)
        op->leaves(worker, task->waits_for);
}

void moat_sched_wake_all(struct worker *worker, struct link *queue,
                         moat_status status)
{
    while (!list_empty(queue))
        moat_sched_wake(worker, first_of(queue)->task, status);
}

void moat_sched_cancel(struct worker *worker, struct moat_task *task)
{
    if (task->over || task->cancelled)
        return;
    task->cancelled = true;
    if (task->state == TASK_WAITING && !task->waits_in->to_the_end)
        moat_sched_give_up(worker, task, MOAT_E_CANCELLED);
}
