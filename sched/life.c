/*
 * life.c: the begin of a task, its end, and the delivery of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/ask.h"
#include "sched/group.h"
#include "sched/holds.h"
#include "sched/io/accept.h"
#include "sched/life.h"
#include "sched/local.h"
#include "sched/report.h"
#include "sched/result.h"
#include "sched/runner.h"
#include "sched/trace.h"
#include "sched/wait.h"

struct moat_task *moat_life_begin(struct worker *worker,
                                  struct moat_group *group, moat_task_fn fn,
                                  void *arg, struct kind *kind)
{
    struct sched *run = worker->run;
    struct moat_task *task = pool_take(&run->pool);

    if (task == NULL)
        return NULL;
    life_fill(task, group, fn, arg, kind);
    task->magic = TASK_MAGIC;
    list_append(&run->everyone, &task->everyone);
    kind_keep(run->kinds, kind);
    task->number = ++run->spawned;
    task->watched_in = NULL;
    count(&worker->counters, COUNT_SPAWNED);
    run->live++;
    moat_group_enter(group, task);
    moat_sched_offer(worker, task);
    return task;
}

void moat_life_free(struct worker *worker, struct moat_task *task)
{
    list_unlink(&task->everyone);
    if (task->room_bytes > KEEP_ROOM) {
        free(task->room);
        task->room = NULL;
        task->room_bytes = 0;
    }
    pool_give(&worker->run->pool, task);
}

/* ---- The end ------------------------------------------------------------ */

static void deliver(struct worker *worker, struct moat_task *task)
{
    struct sched *run = worker->run;
    struct waiter *joiner = first_of(&task->joiners);
    bool is_first = task == run->first;

    task->state = TASK_ENDED;
    if (is_first)
        run->first = NULL; /* its memory will be another task's */
    if (is_first && run->out != NULL) {
        result_show(run->out, &task->result);
    } else if (joiner != NULL) {
        result_copy(&joiner->task->result, &task->result);
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
static inline __attribute__((always_inline)) void finish(struct worker *worker,
                                                         struct moat_task *task)
{
    if (!list_empty(&task->groups))
        moat_groups_free(task);
    run_unlock(worker->run); /* deferred functions may ask for something */
    if (MOAT_UNLIKELY(task->locals != NULL || task->heir != NULL))
        moat_locals_end(worker, task); /* they may lie in the task's heap */
    if (MOAT_UNLIKELY(task->runner != NULL))
        moat_runner_lose(worker, task);
    moat_co_destroy(task->co);
    run_lock(worker->run);
    task->co = task->top = NULL;
    if (MOAT_UNLIKELY(task->connected))
        moat_accept_end(worker, task);
    worker->run->live--;
    moat_counters_end(&worker->counters, &task->result);
    if (MOAT_UNLIKELY(worker->trace != NULL))
        moat_events_end(worker, task);
    group_leave(worker, task);
    deliver(worker, task);
}

static inline void abandon_holds(struct worker *worker, struct moat_task *task)
{
    if (MOAT_UNLIKELY(!list_empty(&task->holds) || task->spare_hold != NULL))
        moat_holds_abandon(worker, task);
}

void moat_life_end(struct worker *worker, struct moat_task *task,
                   moat_event_kind kind, void *value, moat_status status)
{
    task->over = true;
    task->result.kind = kind;
    task->result.value = value;
    task->result.status = status;
    abandon_holds(worker, task);
    if (list_empty(&task->groups) || !moat_groups_await(worker, task))
        finish(worker, task);
}

void moat_life_finish(struct worker *worker, struct moat_task *task)
{
    finish(worker, task);
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
    abandon_holds(worker, task);
    if (list_empty(&task->groups) || !moat_groups_await(worker, task))
        moat_life_finish(worker, task);
}
