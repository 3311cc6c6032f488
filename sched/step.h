/*
 * step.h: changes that a task makes on its own stack.
 *
 * To ask the worker (ask.h) takes two switches, which is most of the time of a
 * call at a channel. So in a run of one thread the commonest calls are made
 * where they stand: an item goes to a task that waits for it, or into a buffer
 * with room; or the task waits, and the one that it has woken goes on in its
 * place, by a transfer.
 *
 * A task may be stopped between any two instructions. It then never goes on,
 * and before anything else runs the worker gets the event of its trap. So
 * before its first change that others can see the task writes into its worker's
 * `step` what it is about to do, and after its last one that it has done so. A
 * worker that finds a step at a trap finishes it, or takes it back (step.c):
 *
 *   STEP_WAKE  is finished. The item was copied before: until its waiter is
 *              out of the queue, what lies in its slot is nothing.
 *   STEP_RING  is finished. The item was copied before, too.
 *   STEP_SPAWN is finished: the task is filled in, and its links, too.
 *   STEP_HAND  is taken back if it was the giver that trapped: it has not
 *              left yet, and it will not wait for anything any more. If the
 *              taker has trapped, the step is complete.
 *
 * Some of the stores may have been made already, in any order: the worker makes
 * all of them again, and each has the same effect twice. The step's own store
 * is the only one whose order matters, and fences for the compiler keep it,
 * which suffice for a signal handler of the same thread. A pointer of the
 * program's that is wrong faults when the item is copied, when there is no
 * step.
 *
 * No lock is taken, and nothing is atomic: a run with one thread shares its
 * tasks and workers with no other thread, and a channel that is not the run's
 * own (chan->run) takes the worker's way. A run with more threads has no steps.
 *
 * A task that may be interrupted, and goes on later, makes no steps: others
 * could run in the middle of one. The one that a transfer leads to has none of
 * these limits, as its coroutine's state shows.
 *
 * Fairness is that of the worker's turns: a step counts as a call of the turn
 * (worker->left), and a transfer as a turn, with the same limits (run.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_STEP_H
#define SCHED_STEP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/co.h>

#include "sched/kinds.h"
#include "sched/run.h"
#include "sched/wait.h"

/* For what a function leaves to another one so that it need not save
 * registers itself. */
#define NOT_INLINE __attribute__((noinline))

/* The worker gets what is left when a task has trapped, in `co`. */
void moat_step_settle(struct worker *worker, const moat_co *co);

/* Returns whether the caller is the task that runs, on its own stack, and may
 * make a step. */
static inline bool step_allowed(const struct worker *worker)
{
    uintptr_t current;

    if (MOAT_UNLIKELY(worker == NULL || !worker->may_step || worker->left <= 1))
        return false;
    /* Bit 0 marks the slow path, as in asker(). */
    current = MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~(uintptr_t)1;
    return worker->running != NULL && current != 0 &&
           (uintptr_t)worker->running->co == current;
}

static inline void step_begin(struct worker *worker, enum step_kind kind)
{
    atomic_signal_fence(memory_order_seq_cst);
    worker->step.kind = kind;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void step_end(struct worker *worker)
{
    step_begin(worker, STEP_NONE);
}

/* Returns whether a step can end the wait of `other`: it has no timer, and the
 * place of the next task is free. */
static inline bool step_can_wake(const struct worker *worker,
                                 const struct moat_task *other)
{
    return other->waiter_count == 1 && other->timer == 0 &&
           worker->next == NULL;
}

/* The stores of STEP_WAKE. */
static inline void step_wake_stores(struct worker *worker,
                                    struct moat_task *other)
{
    list_unlink(&other->waiters->link);
    other->waiter_count = 0;
    other->waits_in = NULL;
    other->status = MOAT_OK;
    other->satisfied = true;
    other->wish.select.chosen = 0;
    other->state = TASK_READY;
    worker->next = other;
}

/* Ends the wait of a task in a single queue, as moat_sched_wake with MOAT_OK.
 * Call only after step_can_wake. */
static inline void step_wake(struct worker *worker, struct moat_task *other)
{
    worker->step.to = other;
    step_begin(worker, STEP_WAKE);
    step_wake_stores(worker, other);
    step_end(worker);
}

/* Puts an entry between the two that it names. */
static inline void step_link(struct link *entry)
{
    entry->prev->next = entry;
    entry->next->prev = entry;
}

/* The stores of STEP_SPAWN. The run has one thread, so none sleeps. */
static inline void step_spawn_stores(struct worker *worker)
{
    const struct step *step = &worker->step;
    struct sched *run = worker->run;
    struct moat_task *task = step->to;

    task->magic = TASK_MAGIC;
    run->pool.spare = step->spare;
    run->live = step->live;
    run->spawned = task->number;
    counter_set(&worker->counters, COUNT_SPAWNED, task->number);
    counter_set(&worker->counters, COUNT_FRESH, step->fresh);
    task->group->live = step->members;
    task->kind->users = step->users;
    step_link(&task->everyone);
    step_link(&task->member);
    step_link(&task->waiter.link);
    worker->spawned = task;
}

/* Returns whether the task that was woken last can go on in the caller's place.
 * Neither may need the library's slow path, for then a transfer could fail. */
static inline bool step_can_hand(const struct worker *worker,
                                 const struct moat_task *task)
{
    const struct moat_task *other = worker->next;
    uint64_t token = MOAT_TLS_READ(MOAT_TLS_TOKEN);

    return other != NULL && worker->until_round > 1 &&
           (!others_ready(worker) || worker->in_a_row + 1 < MAX_IN_A_ROW) &&
           other->top == other->co && other->co != NULL &&
           other->co->state == token && !other->cancelled && !other->over &&
           !other->sliced && !task->cancelled &&
           MOAT_TLS_READ(MOAT_TLS_CURRENT) == (uintptr_t)task->co;
}

/* The stores by which a task leaves its turn to another one. */
static inline void step_hand_stores(struct worker *worker,
                                    struct moat_task *task,
                                    struct moat_task *other)
{
    step_link(&task->waiter.link);
    task->state = TASK_WAITING;
    other->state = TASK_RUNNING;
    other->satisfied = false;
    worker->next = NULL;
    worker->running = other;
}

/* Lets the task wait in a queue, for ever, and the one that was woken last go
 * on. Returns the wait's status. The task's slot has been set. Call only after
 * step_can_hand. */
static inline __attribute__((always_inline)) moat_status
step_wait(struct worker *worker, struct moat_task *task, const struct op *op,
          struct link *queue, const void *object)
{
    struct moat_task *other = worker->next;
    void *input;

    task->op = op;
    task->top = task->co;
    task->waits_in = op;
    task->waits_for = object;
    task->since = worker->now;
    task->waiter.task = task;
    task->waiter.slot = task->slot;
    task->waiter.link.next = queue;
    task->waiter.link.prev = queue->prev;
    task->waiters = &task->waiter;
    task->waiter_count = 1;
    worker->left = MAX_CALLS;
    worker->until_round--;
    worker->in_a_row++;
    worker->spawned = NULL;
    count(&worker->counters, COUNT_SWITCHES);

    worker->step.from = task;
    worker->step.to = other;
    step_begin(worker, STEP_HAND);
    step_hand_stores(worker, task, other);
    /* It cannot fail, as step_can_hand has found. */
    (void)!moat_co_switch_to(task->co, other->co, NULL, &input);
    step_end(worker);
    return task->status;
}

#endif
