/*
 * runner.h: coroutines that run one task after another.
 *
 * A task that is spawned and joined at once costs mostly its coroutine's begin
 * and end, and the turns of the worker between. So where the worker would make
 * the same choice, the joiner transfers to the new task, and the task's end
 * back to the joiner. Its coroutine is not destroyed: it waits in `main_of` of
 * turn.c as a runner, beside the memory of the task, and the next task in that
 * memory begins by a transfer to it.
 *
 * What a runner keeps from task to task is its coroutine's record and a few
 * words at the top of the stack. So a task ends here only if nothing of it
 * remains: no group, no lock, no local value, nothing deferred, no section; and
 * it has no limits, no heap and no slice (kind->plain).
 *
 * Both are steps (step.h), which are undone if the task that transfers is
 * stopped before it has left: the joiner is not waiting yet, and the new task
 * will have its turn; or the task has trapped, in its last instructions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_RUNNER_H
#define SCHED_RUNNER_H

#include "sched/result.h"
#include "sched/step.h"

/* Of a run; in debug builds for those that are gone, too. */
#define MAX_RUNNERS (64 + POOL_KEEPS)

/* ---- The begin ------------------------------------------------------------
 */

/* Returns whether the task that joins can transfer to the one that it joins,
 * which is new: it is the one that the worker would take next. */
static inline bool runner_can_start(const struct worker *worker,
                                    const struct moat_task *task,
                                    const struct moat_task *other)
{
    const struct sched *run = worker->run;
    uint64_t token = MOAT_TLS_READ(MOAT_TLS_TOKEN);

    return run->fresh.next == &other->waiter.link && other->runner != NULL &&
           other->runner->state == token && other->plain && !other->cancelled &&
           list_empty(&other->joiners) && worker->next == NULL &&
           worker->until_round > 1 &&
           (!has_ready(worker) || worker->fresh_in_a_row < MAX_IN_A_ROW) &&
           (run->fresh_turns + 1) % OLDEST_EVERY != 0 && !task->cancelled &&
           MOAT_TLS_READ(MOAT_TLS_CURRENT) == (uintptr_t)task->co;
}

/* Lets the task wait for `other`, for ever, and that one begin. Call only after
 * runner_can_start. */
static inline __attribute__((always_inline)) moat_status
runner_start(struct worker *worker, struct moat_task *task,
             struct moat_task *other, const struct op *op)
{
    uint64_t fresh = counter_read(&worker->counters, COUNT_FRESH);
    struct aim aim = step_fill_wait(worker, task, op, &other->joiners, other);

    step_count_turn(worker);
    worker->in_a_row = 0;
    worker->fresh_in_a_row++;
    worker->run->fresh_turns++;

    worker->step.from = task;
    worker->step.to = other;
    worker->step.fresh = fresh;
    step_begin(worker, STEP_START);
    list_unlink(&other->waiter.link);
    counter_set(&worker->counters, COUNT_FRESH, fresh - 1);
    other->co = other->top = other->runner;
    other->home = other->owner = worker;
    other->state = TASK_RUNNING;
    list_hit(aim);
    task->state = TASK_WAITING;
    worker->running = other;
    (void)step_transfer(task->co, other->runner, other);
    step_end(worker);
    return task->status;
}

/* ---- The end --------------------------------------------------------------
 */

/* Returns whether nothing of the task remains but its result. */
static inline bool runner_is_bare(const struct sched *run,
                                  const struct moat_task *task)
{
    return task->plain && !task->cancelled && task != run->first &&
           task->co->flags == 0 && list_empty(&task->groups) &&
           list_empty(&task->holds) && task->spare_hold == NULL &&
           task->locals == NULL && task->heir == NULL && !task->connected &&
           task->room_bytes <= KEEP_ROOM && task->group->guard == NULL &&
           task->group->live > 1;
}

/* Returns whether the running task can end by a transfer to the task that joins
 * it. */
static inline bool runner_can_end(struct worker *worker)
{
    const struct moat_task *task, *joiner;

    if (!step_allowed(worker) || worker->next != NULL)
        return false;
    task = worker->running;
    if (list_empty(&task->joiners) || !runner_is_bare(worker->run, task) ||
        (task->runner == NULL && worker->runners >= MAX_RUNNERS))
        return false;
    joiner = first_of(&task->joiners)->task;
    return joiner->waiter_count == 1 && joiner->timer == 0 &&
           joiner->home == worker && step_can_transfer(worker, task, joiner);
}

/* Ends the running task with a result, and returns the next one that the runner
 * is to run. Call only after runner_can_end. */
static inline __attribute__((always_inline)) struct moat_task *
runner_end(struct worker *worker, void *value)
{
    struct step *step = &worker->step;
    struct sched *run = worker->run;
    struct moat_task *task = worker->running;
    struct moat_task *joiner = first_of(&task->joiners)->task;
    struct moat_task *spare = *pool_entrance(&run->pool);
    uint64_t returned = counter_read(&worker->counters, COUNT_RETURNED);
    size_t members = task->group->live, live = run->live;
    moat_co *runner = task->co;
    struct moat_task *next;

    if (MOAT_UNLIKELY(task->runner == NULL)) {
        worker->runners++; /* first: too high does no harm */
        atomic_signal_fence(memory_order_seq_cst);
        task->runner = runner;
    }
    joiner->result.kind = MOAT_EVENT_RETURN;
    joiner->result.value = value;
    joiner->result.status = MOAT_OK;
    joiner->status = MOAT_OK;
    worker->in_a_row++;
    step_count_turn(worker);

    step->from = task;
    step->to = joiner;
    step->spare = spare;
    step->members = members;
    step->live = live;
    step->returned = returned;
    step_begin(worker, STEP_FINISH);
    list_unlink(&task->everyone);
    list_unlink(&task->member);
    task->group->live = members - 1;
    run->live = live - 1;
    counter_set(&worker->counters, COUNT_RETURNED, returned + 1);
    joiner->waiter_count = 0;
    joiner->waits_in = NULL;
    joiner->state = TASK_RUNNING;
    task->magic = GONE_MAGIC;
    task->state = TASK_FREE;
    task->next = spare;
    *pool_entrance(&run->pool) = task;
    worker->running = joiner;
    next = step_transfer(runner, joiner->co, NULL);
    step_end(worker);
    return next;
}

/* What the task that has trapped had begun does not happen. */
void moat_runner_undo_start(struct worker *worker);
void moat_runner_undo_end(struct worker *worker);

/* The task has ended otherwise: if the runner is its coroutine, that goes. */
void moat_runner_lose(struct worker *worker, struct moat_task *task);

/* Destroys all runners, when all tasks have ended. */
void moat_runners_drop(struct worker *worker);

#endif
