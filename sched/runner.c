/*
 * runner.c: what is undone of a begin or an end, and the end of runners.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/runner.h"

void moat_runner_undo_start(struct worker *worker)
{
    const struct step *step = &worker->step;
    struct moat_task *task = step->from, *other = step->to;

    list_unlink(&task->waiter.link);
    task->state = TASK_RUNNING;
    list_relink(&other->waiter.link);
    counter_set(&worker->counters, COUNT_FRESH, step->fresh);
    other->co = other->top = NULL;
    other->home = other->owner = NULL;
    other->state = TASK_READY;
    worker->running = task;
}

void moat_runner_undo_end(struct worker *worker)
{
    const struct step *step = &worker->step;
    struct sched *run = worker->run;
    struct moat_task *task = step->from, *joiner = step->to;

    list_relink(&task->everyone);
    list_relink(&task->member);
    task->group->live = step->members;
    run->live = step->live;
    counter_set(&worker->counters, COUNT_RETURNED, step->returned);
    joiner->waiter_count = 1;
    joiner->waits_in = joiner->op;
    joiner->state = TASK_WAITING;
    task->magic = TASK_MAGIC;
    task->state = TASK_RUNNING;
    *pool_entrance(&run->pool) = step->spare;
    worker->running = task;
}

void moat_runner_lose(struct worker *worker, struct moat_task *task)
{
    if (task->runner != task->co)
        return;
    task->runner = NULL;
    worker->runners--;
}

static void drop(struct moat_task *task)
{
    moat_event event;

    if (task->runner == NULL)
        return;
    (void)!moat_co_resume(task->runner, NULL, &event); /* it returns */
    moat_co_destroy(task->runner);
    task->runner = NULL;
}

void moat_runners_drop(struct worker *worker)
{
    if (worker->runners != 0)
        moat_pool_each(&worker->run->pool, drop);
    worker->runners = 0;
}
