/*
 * task.c: the calls about tasks: spawn, join, cancel, self.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unwind.h>

#include "sched/ask.h"
#include "sched/io/task_errno.h"
#include "sched/kinds.h"
#include "sched/life.h"
#include "sched/local.h"
#include "sched/refuse.h"
#include "sched/report.h"
#include "sched/result.h"
#include "sched/runner.h"
#include "sched/spawn.h"
#include "sched/step.h"
#include "sched/trace.h"
#include "sched/wait.h"

/* ---- Spawn -------------------------------------------------------------- */

enum verdict moat_spawn_perform(struct worker *worker, struct moat_task *task)
{
    struct kinds *kinds = worker->run->kinds;
    struct moat_group *group = task->wish.spawn.group;
    struct kind *kind = kinds->ordinary;
    struct moat_task *created;
    moat_status status;

    if (is_host(task))
        return answer(task, MOAT_E_STATE);
    if (group == NULL)
        group = task->group;
    if (group->cancelled)
        return answer(task, MOAT_E_CANCELLED);
    if (task->wish.spawn.has_options) {
        status = moat_kinds_find(kinds, task->room, &kind);
        if (status != MOAT_OK)
            return answer(task, status);
    }
    created = moat_life_begin(worker, group, task->wish.spawn.fn,
                              task->wish.spawn.arg, kind);
    if (created == NULL)
        return answer(task, MOAT_E_NOMEM);
    created->detached = task->wish.spawn.detached;
    created->creator = task->wish.spawn.caller;
    if (MOAT_UNLIKELY(task->heir != NULL))
        moat_locals_take(created, task);
    if (MOAT_UNLIKELY(worker->trace != NULL))
        moat_events_spawn(worker, created);
    task->wish.spawn.created = created;
    return answer(task, MOAT_OK);
}

static const struct op spawns = {.perform = moat_spawn_perform,
                                 .words = "spawns a task"};

void moat_spawn_give_up(struct moat_task *task)
{
    int error = TASK_ERRNO;

    if (task->heir != NULL)
        moat_locals_withdraw(task);
    TASK_ERRNO = error;
}

static moat_status read_options(struct moat_task *task,
                                const moat_task_options *options)
{
    if (options == NULL)
        return MOAT_OK;
    if (!moat_sched_room(task, sizeof(struct asked_options)))
        return task->status;
    return moat_kinds_read(task->room, options);
}

moat_status moat_spawn_prepare(struct moat_task *task,
                               const moat_task_options *options)
{
    moat_status status = moat_locals_bequeath(task);

    if (status != MOAT_OK)
        return status;
    status = read_options(task, options);
    if (status != MOAT_OK)
        moat_spawn_give_up(task);
    return status;
}

static moat_status ask_to_spawn(struct moat_task *task, moat_group *group,
                                moat_task_fn fn, void *arg, bool has_options,
                                moat_task **out, uintptr_t creator)
{
    moat_status status;

    task->wish.spawn.has_options = has_options;
    task->wish.spawn.fn = fn;
    task->wish.spawn.arg = arg;
    task->wish.spawn.group = group;
    task->wish.spawn.detached = out == NULL;
    task->wish.spawn.caller = creator;
    status = ask(task, &spawns);
    if (status == MOAT_OK && out != NULL)
        *out = task->wish.spawn.created;
    return status;
}

static NOT_INLINE moat_status spawn_slowly(moat_group *group, moat_task_fn fn,
                                           void *arg,
                                           const moat_task_options *options,
                                           moat_task **out, uintptr_t creator)
{
    struct moat_task *task = asker();
    moat_status status;

    if (fn == NULL || (group != NULL && group->magic != GROUP_MAGIC))
        return fn == NULL ? refuse("fn is NULL")
                          : refuse_pointer("group is %x: no group", group);
    if (task == NULL)
        return MOAT_E_STATE;
    status = moat_spawn_prepare(task, options);
    if (status != MOAT_OK)
        return status;
    status = ask_to_spawn(task, group, fn, arg, options != NULL, out, creator);
    if (status != MOAT_OK)
        moat_spawn_give_up(task);
    return status;
}

moat_status moat_task_spawn(moat_group *group, moat_task_fn fn, void *arg,
                            const moat_task_options *options, moat_task **out)
{
    uintptr_t creator = (uintptr_t)__builtin_return_address(0);
    struct worker *worker = moat_sched_worker;
    struct moat_group *into = group;
    struct moat_task *created;

    if (!step_allowed(worker) || options != NULL || fn == NULL ||
        worker->running->locals != NULL)
        return spawn_slowly(group, fn, arg, options, out, creator);
    if (into == NULL)
        into = worker->running->group;
    if (into->magic != GROUP_MAGIC || into->cancelled)
        return spawn_slowly(group, fn, arg, options, out, creator);
    created = life_begin_here(worker, into, fn, arg, out == NULL, creator);
    if (MOAT_UNLIKELY(created == NULL))
        return spawn_slowly(group, fn, arg, options, out, creator);
    if (out != NULL)
        *out = created;
    return MOAT_OK;
}

/* ---- Join --------------------------------------------------------------- */

static bool is_task(const moat_task *task)
{
    return task != NULL && task->magic == TASK_MAGIC;
}

#ifndef NDEBUG
static enum verdict tell_stale(struct worker *worker, struct moat_task *task)
{
    const struct moat_task *other = task->wish.of_task.task;

    moat_report_stale(worker, other, task);
    return answer(task,
                  refuse_pointer("task is %x: it was joined, or has ended "
                                 "without a handle",
                                 other));
}

static const struct op tells_stale = {.perform = tell_stale,
                                      .words = "uses a handle that is gone"};
#endif

/* Debug builds report a handle that is used after it was joined. */
static moat_status refuse_task(moat_task *other)
{
#ifndef NDEBUG
    struct moat_task *task = asker();

    if (other != NULL && other->magic == GONE_MAGIC && task != NULL) {
        task->wish.of_task.task = other;
        return ask(task, &tells_stale);
    }
#endif
    return refuse_pointer("task is %x: no handle", other);
}

static enum verdict take_result(struct worker *worker, struct moat_task *task)
{
    struct moat_task *other = task->wish.of_task.task;

    if (!is_task(other)) /* another has joined it meanwhile */
        return answer(task,
                      refuse_pointer("task is %x: another task has joined "
                                     "it",
                                     other));
    if (other->state == TASK_ENDED) {
        result_copy(&task->result, &other->result);
        moat_life_free(worker, other);
        return answer(task, MOAT_OK);
    }
    if (!list_empty(&other->joiners))
        return answer(task, MOAT_E_STATE);
    return moat_sched_wait(worker, task, &other->joiners, task->deadline,
                           other);
}

static const struct op joins = {.perform = take_result,
                                .words = "joins task",
                                .late = MOAT_E_TIMEOUT,
                                .on_tasks = true,
                                .for_task = true};

moat_status moat_task_join(moat_task *other, uint64_t deadline,
                           moat_result *out)
{
    struct worker *worker = moat_sched_worker;
    struct moat_task *task = asker();
    moat_status status;

    if (!is_task(other))
        return refuse_task(other);
    if (other == task || other->detached)
        return refuse_pointer("task is %x: the caller's own, or one without a "
                              "handle",
                              other);
    if (task == NULL)
        return MOAT_E_STATE;
    if (MOAT_LIKELY(deadline == MOAT_NO_DEADLINE) && step_allowed(worker) &&
        runner_can_start(worker, task, other)) {
        status = runner_start(worker, task, other, &joins);
    } else {
        task->wish.of_task.task = other;
        task->deadline = deadline;
        status = ask(task, &joins);
    }
    if (status != MOAT_OK)
        return status;
    if (out != NULL)
        result_show(out, &task->result);
    else if (task->result.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(task->result.value);
    return MOAT_OK;
}

/* ---- Cancel, self ------------------------------------------------------- */

static enum verdict cancel(struct worker *worker, struct moat_task *task)
{
    struct moat_task *other = task->wish.of_task.task;

    moat_sched_cancel(worker, other);
    if (other == task && !task->unwinding) {
        enqueue(worker, task); /* its next turn unwinds it */
        return QUEUED;
    }
    return answer(task, MOAT_OK);
}

static const struct op cancels = {.perform = cancel, .words = "cancels task"};

moat_status moat_task_cancel(moat_task *other)
{
    struct moat_task *task = asker();

    if (!is_task(other))
        return refuse_task(other);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.of_task.task = other;
    return ask(task, &cancels);
}

moat_task *moat_task_self(void)
{
    struct moat_task *task = asker();

    return task != NULL && !is_host(task) ? task : NULL;
}
