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
 *   STEP_HAND, STEP_START, STEP_FINISH
 *              are undone if the task that transfers has trapped: it has not
 *              left yet, and will not wait any more. If the other one has
 *              trapped, the step is complete. The last two are of runner.h.
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
    if (MOAT_UNLIKELY(worker == NULL || !worker->may_step || worker->left <= 1))
        return false;
    /* Bit 0 marks the slow path, as in asker(). */
    return (uintptr_t)worker->running->co ==
           (MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~(uintptr_t)1);
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
                                    struct moat_task *other,
                                    const struct link *entry)
{
    list_unlink(entry);
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
static inline void step_wake(struct worker *worker, struct waiter *waiter)
{
    struct moat_task *other = waiter->task;

    worker->step.to = other;
    step_begin(worker, STEP_WAKE);
    step_wake_stores(worker, other, &waiter->link);
    step_end(worker);
}

/* What a new task changes. The pointers and numbers are in registers, since no
 * load has to wait for a store then. */
struct spawning {
    struct moat_task *task, *spare;
    size_t live, members;
    uint64_t fresh;
    struct aim everyone, member, place;
};

/* The stores of STEP_SPAWN. The run has one thread, so none sleeps. */
static inline void step_spawn_stores(struct worker *worker,
                                     const struct spawning *spawning)
{
    struct sched *run = worker->run;
    struct moat_task *task = spawning->task;

    task->magic = TASK_MAGIC;
    run->pool.spare = spawning->spare;
    run->live = spawning->live;
    run->spawned = task->number;
    counter_set(&worker->counters, COUNT_SPAWNED, task->number);
    counter_set(&worker->counters, COUNT_FRESH, spawning->fresh);
    task->group->live = spawning->members;
    list_hit(spawning->everyone);
    list_hit(spawning->member);
    list_hit(spawning->place);
    worker->spawned = task;
}

/* Returns whether the caller can transfer to a task that waits, as one that was
 * just woken. Neither may need the library's slow path, where a transfer could
 * fail. */
static inline bool step_can_transfer(const struct worker *worker,
                                     const struct moat_task *task,
                                     const struct moat_task *other)
{
    uint64_t token = MOAT_TLS_READ(MOAT_TLS_TOKEN);

    return worker->until_round > 1 &&
           (!others_ready(worker) || worker->in_a_row + 1 < MAX_IN_A_ROW) &&
           other->top == other->co && other->co != NULL &&
           other->co->state == token && other->obstacles == 0 &&
           !task->cancelled &&
           MOAT_TLS_READ(MOAT_TLS_CURRENT) == (uintptr_t)task->co;
}

static inline bool step_can_hand(const struct worker *worker,
                                 const struct moat_task *task)
{
    return worker->next != NULL &&
           step_can_transfer(worker, task, worker->next);
}

/* A transfer is the begin of another turn. */
static inline void step_count_turn(struct worker *worker)
{
    worker->left = MAX_CALLS;
    worker->until_round--;
    worker->spawned = NULL;
    count(&worker->counters, COUNT_SWITCHES);
}

/* What a task that will wait, in a queue and for ever, writes down before it
 * does. */
static inline struct aim step_fill_wait(const struct worker *worker,
                                        struct moat_task *task,
                                        const struct op *op,
                                        const struct link *queue,
                                        const void *object)
{
    task->op = op;
    task->top = task->co;
    task->waits_in = op;
    task->waits_for = object;
    task->since = worker->now;
    task->waiters = &task->waiter;
    task->waiter_count = 1;
    return list_aim(queue, &task->waiter.link);
}

/* Transfers, as moat_co_switch_to, whose checks have been made. Returns what
 * the one brings that transfers back. */
static inline __attribute__((always_inline)) void *
step_transfer(moat_co *self, moat_co *other, void *value)
{
    struct moat_resumed back = moat_switch_transfer(self, other, value);

    if (MOAT_UNLIKELY(back.command != MOAT_COMMAND_NONE))
        moat_co_unwind(back.self);
    return back.input;
}

/* Lets the task wait in a queue, for ever, and the one that was woken last go
 * on. Returns the wait's status. The task's item is at `slot`. Call only after
 * step_can_hand. */
static inline __attribute__((always_inline)) moat_status
step_wait(struct worker *worker, struct moat_task *task, const struct op *op,
          struct link *queue, const void *object, void *slot)
{
    struct moat_task *other = worker->next;
    struct aim aim = step_fill_wait(worker, task, op, queue, object);

    task->waiter.slot = slot;
    worker->in_a_row++;
    step_count_turn(worker);

    worker->step.from = task;
    worker->step.to = other;
    step_begin(worker, STEP_HAND);
    list_hit(aim);
    task->state = TASK_WAITING;
    other->state = TASK_RUNNING;
    other->satisfied = false;
    worker->next = NULL;
    worker->running = other;
    (void)step_transfer(task->co, other->co, NULL);
    step_end(worker);
    return task->status;
}

#endif
