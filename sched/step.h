/*
 * step.h: changes that a task makes on its own stack.
 *
 * A request to the worker (ask.h) takes two switches, which is most of the time
 * of a call at a channel. So in a run of one thread the task makes the
 * commonest calls itself, without a switch: it passes an item to a task that
 * waits for it, or into a buffer with room; or it waits, and transfers to the
 * task that it has just woken.
 *
 * A task may be stopped between any two instructions. It then never goes on,
 * and before anything else runs the worker gets the event of its trap. So
 * before its first change that others can see the task notes in its worker's
 * `step` what it is about to do, and clears that note after its last change. A
 * worker that finds a step after a trap completes it or undoes it (step.c):
 *
 *   STEP_WAKE  is completed. The item was copied before the step: until the
 *              waiter has left the queue, its slot is not read.
 *   STEP_RING  is completed. The item was copied before the step, too.
 *   STEP_SPAWN is completed: the task and its links were filled in before.
 *   STEP_HAND  is undone if the task that transfers has trapped: it has not
 *              left yet, and will not wait any more. If the other one has
 *              trapped, the step is complete.
 *
 * Some of the stores may have been made already, in any order: the worker makes
 * all of them again, and repeating one has no further effect. Only the order of
 * the store to `step` itself matters. Compiler fences keep it, which suffice
 * for a signal handler of the same thread. A wrong pointer of the program's
 * faults while the item is copied, before the step.
 *
 * No lock is taken, and nothing is atomic: a run with one thread shares its
 * tasks and workers with no other thread, and a channel that is not the run's
 * own (chan->run) is left to the worker. A run with more threads has no steps.
 *
 * A task with a time slice makes no steps, since others could run in the middle
 * of one; nor does a migratable one, whose errno the worker keeps. Nor does a
 * task transfer to one of these (step_can_hand).
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

/* For the rare part of a function, so that the common one saves no registers.
 */
#define NOT_INLINE __attribute__((noinline))

/* Settles the step that is left after a task has trapped, in `co`. */
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

/* Returns whether a step can end the wait of `other`: it has no timer, and no
 * other task is to run next. */
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

/* Returns whether the caller can transfer to the task that was woken last.
 * Neither may need the library's slow path, where a transfer could fail. */
static inline bool step_can_hand(const struct worker *worker,
                                 const struct moat_task *task)
{
    const struct moat_task *other = worker->next;
    uint64_t token = MOAT_TLS_READ(MOAT_TLS_TOKEN);

    return other != NULL && worker->until_round > 1 &&
           (!others_ready(worker) || worker->in_a_row + 1 < MAX_IN_A_ROW) &&
           other->top == other->co && other->co != NULL &&
           other->co->state == token && !other->cancelled && !other->over &&
           !other->sliced && !other->migratable && !task->cancelled &&
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
