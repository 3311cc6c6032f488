/*
 * step.c: what is done about a step whose task was stopped in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/step.h"
#include "sched/runner.h"

/* The task has not left, and has ended. */
static void take_back(struct worker *worker)
{
    struct moat_task *task = worker->step.from, *other = worker->step.to;

    list_unlink(&task->waiter.link);
    task->state = TASK_RUNNING;
    other->state = TASK_READY;
    other->satisfied = true;
    worker->next = other;
    worker->running = task;
}

static struct aim aim_of(struct link *entry)
{
    return (struct aim){entry, entry->prev, entry->next};
}

static void spawn_again(struct worker *worker)
{
    const struct step *step = &worker->step;
    struct moat_task *task = step->to;
    const struct spawning spawning = {
        .task = task,
        .spare = step->spare,
        .live = step->live,
        .members = step->members,
        .fresh = step->fresh,
        .everyone = aim_of(&task->everyone),
        .member = aim_of(&task->member),
        .place = aim_of(&task->waiter.link),
    };

    step_spawn_stores(worker, &spawning);
}

void moat_step_settle(struct worker *worker, const moat_co *co)
{
    struct step *step = &worker->step;
    struct moat_task *task;

    if (step->kind == STEP_WAKE) {
        step_wake_stores(worker, step->to, &step->to->waiters->link);
    } else if (step->kind == STEP_RING) {
        step->chan->head = step->head;
        step->chan->count = step->count;
    } else if (step->kind == STEP_SPAWN) {
        spawn_again(worker);
    } else if (step->kind == STEP_HAND && step->from->co == co) {
        take_back(worker);
    } else if (step->kind == STEP_START && step->from->co == co) {
        moat_runner_undo_start(worker);
    } else if (step->kind == STEP_FINISH && step->from->co == co) {
        moat_runner_undo_end(worker);
    }
    step->kind = STEP_NONE;
    /* It may have been about to wait. */
    task = worker->running;
    task->waits_in = NULL;
    task->waiter_count = 0;
}
