/*
 * life.c: the begin of a task, its end, and the delivery of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/ask.h"
#include "sched/group.h"
#include "sched/holds.h"
#include "sched/life.h"
#include "sched/local.h"
#include "sched/report.h"
#include "sched/wait.h"

/* A task keeps more room than this only while it lives. */
#define KEEP_ROOM 4096

struct moat_task *moat_life_begin(struct worker *worker,
                                  struct moat_group *group, moat_task_fn fn,
                                  void *arg, struct kind *kind)
{
    struct sched *run = worker->run;
    struct moat_task *task = moat_pool_take(&run->pool);

    if (task == NULL)
        return NULL;
    task->magic = TASK_MAGIC;
    task->cancelled = task->unwinding = task->satisfied = false;
    task->members_first = task->over = task->detached = false;
    task->co = task->top = NULL;
    task->timer = 0;
    task->waiter_count = 0;
    task->waits_in = NULL;
    task->drained = NULL;
    list_init(&task->groups);
    list_init(&task->joiners);
    list_init(&task->holds);
    list_append(&run->everyone, &task->everyone);
    task->fn = fn;
    task->arg = arg;
    task->kind = kind;
    kind->users++;
    memcpy(task->name, kind->options.name, sizeof task->name);
    task->number = ++run->stats.spawned;
    run->live++;
    task->home = run->threads > 1 ? NULL : worker;
    moat_group_enter(group, task);
    enqueue(worker, task);
    return task;
}

void moat_life_free(struct worker *worker, struct moat_task *task)
{
    list_remove(&task->everyone);
    if (task->room_bytes > KEEP_ROOM) {
        free(task->room);
        task->room = NULL;
        task->room_bytes = 0;
    }
    moat_pool_give(&worker->run->pool, task);
}

/* ---- The end ------------------------------------------------------------ */

static void count(moat_sched_stats *stats, moat_event_kind kind)
{
    if (kind == MOAT_EVENT_RETURN)
        stats->returned++;
    else if (kind == MOAT_EVENT_TRAP)
        stats->trapped++;
    else if (kind == MOAT_EVENT_PANIC)
        stats->panicked++;
    else
        stats->cancelled++;
}

static void deliver(struct worker *worker, struct moat_task *task)
{
    struct sched *run = worker->run;
    struct waiter *joiner = first_of(&task->joiners);

    task->state = TASK_ENDED;
    if (task == run->first && run->out != NULL) {
        *run->out = task->result;
    } else if (joiner != NULL) {
        joiner->task->result = task->result;
        moat_sched_wake(worker, joiner->task, MOAT_OK);
    } else if (!task->detached) {
        return;
    } else {
        moat_report_unseen(run, task);
        moat_report_drop(run, task);
    }
    moat_life_free(worker, task);
}

/* The groups are empty: the stack on which their members may have had memory
 * can go. */
void moat_life_finish(struct worker *worker, struct moat_task *task)
{
    if (!list_empty(&task->groups))
        moat_groups_free(task);
    run_unlock(worker->run); /* deferred functions may ask for something */
    if (MOAT_UNLIKELY(task->locals != NULL || task->heir != NULL))
        moat_locals_end(worker, task); /* they may lie in the task's heap */
    moat_co_destroy(task->co);
    run_lock(worker->run);
    task->co = task->top = NULL;
    worker->run->live--;
    count(&worker->run->stats, task->result.kind);
    moat_group_leave(worker, task);
    deliver(worker, task);
}

void moat_life_end(struct worker *worker, struct moat_task *task,
                   moat_event_kind kind, void *value, moat_status status)
{
    task->over = true;
    task->result.kind = kind;
    task->result.value = value;
    task->result.trap = (moat_trap_info)MOAT_TRAP_INFO_INIT;
    task->result.status = status;
    moat_holds_abandon(worker, task);
    if (list_empty(&task->groups) || !moat_groups_await(worker, task))
        moat_life_finish(worker, task);
}

void moat_life_trap(struct worker *worker, struct moat_task *task,
                    const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &info) == MOAT_OK)
        info.regs = NULL;
    task->over = true;
    task->result.kind = MOAT_EVENT_TRAP;
    task->result.value = NULL;
    task->result.trap = info;
    task->result.status = MOAT_OK;
    moat_holds_abandon(worker, task);
    if (list_empty(&task->groups) || !moat_groups_await(worker, task))
        moat_life_finish(worker, task);
}
