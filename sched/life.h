/*
 * life.h: the begin of a task, its end, and the delivery of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LIFE_H
#define SCHED_LIFE_H

#include <string.h>

#include "sched/kinds.h"
#include "sched/run.h"
#include "sched/step.h"
#include "sched/task.h"

/* Makes a task of a kind, ready to run; NULL: no memory. */
struct moat_task *moat_life_begin(struct worker *worker,
                                  struct moat_group *group, moat_task_fn fn,
                                  void *arg, struct kind *kind);

/* Fills in a task of the pool, which is on no list yet. One that has ended has
 * no wait, timer, group or lock. */
static inline void life_fill(struct moat_task *task, struct moat_group *group,
                             moat_task_fn fn, void *arg, struct kind *kind)
{
    task->cancelled = task->unwinding = task->satisfied = false;
    task->members_first = task->over = task->detached = false;
    task->connected = false;
    task->co = task->top = NULL;
    task->drained = NULL;
    list_init(&task->joiners);
    task->fn = fn;
    task->arg = arg;
    task->kind = kind;
    task->sliced = kind->sliced;
    task->migratable = kind->options.migratable;
    task->moves = kind->moves;
    task->plain = kind->plain;
    task->stays = false;
    task->error = 0;
    if (MOAT_UNLIKELY(task->name[0] != kind->options.name[0] ||
                      task->name[0] != '\0'))
        memcpy(task->name, kind->options.name, sizeof task->name);
    task->home = NULL;
    task->group = group;
}

/* As moat_life_begin, on the stack of the task that spawns it, with the run's
 * options, if step_allowed. NULL: the worker has to be asked. */
static inline struct moat_task *
life_begin_here(struct worker *worker, struct moat_group *group,
                moat_task_fn fn, void *arg, bool detached, uintptr_t creator)
{
    struct sched *run = worker->run;
    struct moat_task *task = run->pool.spare;
    struct kind *kind = run->kinds->ordinary;
    struct step *step = &worker->step;
    struct spawning spawning;

    if (task == NULL)
        return NULL;
    life_fill(task, group, fn, arg, kind);
    task->detached = detached;
    task->creator = creator;
    task->number = run->spawned + 1;
    task->state = TASK_READY;
    task->spawner = worker;
    spawning = (struct spawning){
        .task = task,
        .spare = task->next,
        .live = run->live + 1,
        .members = group->live + 1,
        .fresh = counter_read(&worker->counters, COUNT_FRESH) + 1,
        .everyone = list_aim(&run->everyone, &task->everyone),
        .member = list_aim(&group->members, &task->member),
        .place =
            list_aim(moat_sched_place_of_new(worker)->next, &task->waiter.link),
    };
    step->to = task;
    step->spare = spawning.spare;
    step->live = spawning.live;
    step->members = spawning.members;
    step->fresh = spawning.fresh;
    step_begin(worker, STEP_SPAWN);
    step_spawn_stores(worker, &spawning);
    step_end(worker);
    worker->left--;
    return task;
}

/* The task's function has ended, or will not be run (`status`). The result is
 * delivered when the groups that it has opened are empty. */
void moat_life_end(struct worker *worker, struct moat_task *task,
                   moat_event_kind kind, void *value, moat_status status);
void moat_life_trap(struct worker *worker, struct moat_task *task,
                    const moat_co *co);
/* The groups are empty. */
void moat_life_finish(struct worker *worker, struct moat_task *task);

/* Frees a task whose result was taken, or that has no handle. */
void moat_life_free(struct worker *worker, struct moat_task *task);

#endif
