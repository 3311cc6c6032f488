/*
 * wait.h: waiting and waking, by the worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_WAIT_H
#define SCHED_WAIT_H

#include <stdatomic.h>

#include "sched/ask.h"
#include "sched/run.h"
#include "sched/task.h"

static inline void queue_change(struct queue *queue, size_t by)
{
    atomic_store_explicit(
        &queue->count,
        atomic_load_explicit(&queue->count, memory_order_relaxed) + by,
        memory_order_relaxed);
}

static inline void queue_append(struct queue *queue, struct moat_task *task)
{
    queue_change(queue, 1);
    task->next = NULL;
    if (queue->first == NULL)
        queue->first = task;
    else
        queue->last->next = task;
    queue->last = task;
}

static inline struct moat_task *queue_take(struct queue *queue)
{
    struct moat_task *task = queue->first;

    if (task != NULL) {
        queue->first = task->next;
        queue_change(queue, (size_t)-1);
    }
    return task;
}

/* For a task of another worker, and one that may move. */
void moat_sched_hand_over(struct worker *worker, struct moat_task *task);

/* Lets a task run, after those that can. */
static inline void enqueue(struct worker *worker, struct moat_task *task)
{
    task->state = TASK_READY;
    task->ready_since = worker->now;
    if (MOAT_UNLIKELY(task->home != worker || task->moves)) {
        moat_sched_hand_over(worker, task);
        return;
    }
    task->place = ++worker->places;
    queue_append(&worker->ready, task);
}

/* The worker's first task that can run; NULL: there is none. */
static inline struct moat_task *take_ready(struct worker *worker)
{
    const struct moat_task *ready = worker->ready.first;
    const struct moat_task *movable = worker->movable.first;

    if (MOAT_LIKELY(movable == NULL))
        return queue_take(&worker->ready);
    if (ready != NULL && ready->place < movable->place)
        return queue_take(&worker->ready);
    queue_change(&worker->ready, (size_t)-1);
    return queue_take(&worker->movable);
}

/* How many tasks are fresh, for any thread to read: the first worker's counter,
 * which changes under the lock. */
static inline void fresh_change(struct sched *run, uint64_t by)
{
    counter_add(&run->workers[0].counters, COUNT_FRESH, by);
}

/* The entry after which a new task is put. */
static inline struct link *moat_sched_place_of_new(const struct worker *worker)
{
    return worker->spawned != NULL ? &worker->spawned->waiter.link
                                   : &worker->run->fresh;
}

/* Each such new task that starts is the oldest one. */
#define OLDEST_EVERY 256

/* Lets a task that is new run, by any worker. */
void moat_sched_offer(struct worker *worker, struct moat_task *task);
/* Takes one; NULL: there is none. */
struct moat_task *moat_sched_take_fresh(struct sched *run);
/* A task that yields lets those run first that it has spawned, if no other
 * thread may have taken some of them. */
void moat_sched_defer_to_spawned(struct worker *worker);

/* Wakes a worker that sleeps. */
void moat_sched_ring(struct worker *worker);
/* Any of those that sleep. */
void moat_sched_ring_one(struct sched *run);

/* Lets the task wait for `object` until `deadline`, if it has to and may.
 * True: the caller puts `task->waiters` into its queues, and the verdict is
 * QUEUED. False: *verdict is what to return
 * instead. */
bool moat_sched_may_wait(struct worker *worker, struct moat_task *task,
                         uint64_t deadline, const void *object,
                         enum verdict *verdict);

/* The task waits from now on. */
static inline void begin_wait(struct worker *worker, struct moat_task *task,
                              const void *object)
{
    task->waits_in = task->op;
    task->waits_for = object;
    task->since = worker->now;
    task->state = TASK_WAITING;
}

/* The same for a wait in one queue. */
static inline enum verdict
moat_sched_wait(struct worker *worker, struct moat_task *task,
                struct link *queue, uint64_t deadline, const void *object)
{
    enum verdict verdict = QUEUED;

    if (MOAT_LIKELY(deadline == MOAT_NO_DEADLINE && !task->cancelled &&
                    !is_host(task)))
        begin_wait(worker, task, object);
    else if (!moat_sched_may_wait(worker, task, deadline, object, &verdict))
        return verdict;
    task->waiters = &task->waiter;
    task->waiter_count = 1;
    list_append(queue, &task->waiter.link);
    return verdict;
}

/* Ends a wait: takes the task out of all queues and lets it run. */
void moat_sched_wake_slowly(struct worker *worker, struct moat_task *task,
                            moat_status status);

/* The caller has something that a cancellation must not take away. */
static inline bool is_gain(moat_status status)
{
    return status == MOAT_OK || status == MOAT_E_OWNER_DIED;
}

/* A task that may move is the worker's `next` (move.h). */
void moat_move_woken(struct worker *worker);

/* What a woken task does next: it comes before the queue if it got what it
 * waited for from the task that has its turn now. */
static inline void let_run(struct worker *worker, struct moat_task *task,
                           moat_status status)
{
    task->waits_in = NULL;
    task->status = status;
    task->satisfied = is_gain(status);
    if (status == MOAT_OK && worker->next == NULL && worker->running != NULL &&
        task->home == worker) {
        task->state = TASK_READY;
        task->ready_since = worker->now;
        worker->next = task;
        if (MOAT_UNLIKELY(task->moves))
            moat_move_woken(worker);
    } else {
        enqueue(worker, task);
    }
}

static inline void moat_sched_wake(struct worker *worker,
                                   struct moat_task *task, moat_status status)
{
    if (MOAT_UNLIKELY(task->waiter_count != 1 || task->timer != 0)) {
        moat_sched_wake_slowly(worker, task, status);
        return;
    }
    list_unlink(&task->waiters->link);
    task->waiter_count = 0;
    let_run(worker, task, status);
}

/* Ends the wait of a task that has not got what it waits for: by its deadline,
 * a cancellation, a deadlock. */
void moat_sched_give_up(struct worker *worker, struct moat_task *task,
                        moat_status status);

/* Wakes all who wait in a queue. */
void moat_sched_wake_all(struct worker *worker, struct link *queue,
                         moat_status status);

/* Asks a task to unwind. */
void moat_sched_cancel(struct worker *worker, struct moat_task *task);

/* The first who waits in a queue. */
static inline struct waiter *first_of(const struct link *queue)
{
    return list_empty(queue) ? NULL : LINKED(queue->next, struct waiter, link);
}

#endif
