/*
 * group.c: groups of tasks that end before their group does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/group.h"
#include "sched/refuse.h"
#include "sched/result.h"
#include "sched/wait.h"

void moat_group_init(struct moat_group *group, struct moat_task *owner,
                     unsigned flags)
{
    group->magic = GROUP_MAGIC;
    group->flags = flags;
    group->owner = owner;
    group->failure.kind = MOAT_EVENT_RETURN;
    list_init(&group->opened);
    list_init(&group->members);
    list_init(&group->waiters);
}

void moat_group_enter(struct moat_group *group, struct moat_task *task)
{
    task->group = group;
    list_append(&group->members, &task->member);
    group->live++;
}

void moat_group_cancel_members(struct worker *worker, struct moat_group *group)
{
    group->cancelled = true;
    for (struct link *at = group->members.next; at != &group->members;
         at = at->next)
        moat_sched_cancel(worker, LINKED(at, struct moat_task, member));
}

/* A woken task does not read the group: it may be closed by then. */
static void wake_waiters(struct worker *worker, struct moat_group *group)
{
    while (!list_empty(&group->waiters)) {
        struct moat_task *task = first_of(&group->waiters)->task;

        if (!task->over)
            result_copy(&task->result, &group->failure);
        moat_sched_wake(worker, task, MOAT_OK);
    }
}

void moat_group_settle(struct worker *worker, struct moat_task *task)
{
    struct moat_group *group = task->group;

    if (is_failure(&task->result) && !group->failed) {
        group->failed = true;
        result_copy(&group->failure, &task->result);
        group->failure.value = NULL; /* the exception has one owner */
        if (group->flags & MOAT_GROUP_FAIL_FAST)
            moat_group_cancel_members(worker, group);
    }
    if (MOAT_UNLIKELY(group->guard != NULL) &&
        group->guard->left(worker, group, task))
        moat_group_cancel_members(worker, group);
    if (group->live == 0)
        wake_waiters(worker, group);
}

/* ---- The groups of a task that ends ------------------------------------- */

static enum verdict no_verdict(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    return answer(task, MOAT_E_STATE);
}

/* The wait of such a task. No call asks for it. */
static const struct op awaits_members = {.perform = no_verdict,
                                         .words =
                                             "waits for the tasks of group",
                                         .to_the_end = true,
                                         .on_tasks = true};

/* The children of a supervisor go one by one: those before them are cancelled
 * when they have ended. */
bool moat_groups_await(struct worker *worker, struct moat_task *task)
{
    struct moat_group *last = NULL;
    struct link *at;

    for (at = task->groups.prev; at != &task->groups; at = at->prev) {
        struct moat_group *group = LINKED(at, struct moat_group, opened);

        if (!group->cancelled)
            moat_group_cancel_members(worker, group);
        if (group->live == 0)
            continue;
        if (last == NULL)
            last = group;
        if (group->guard != NULL)
            break;
    }
    if (last == NULL)
        return false;
    task->op = &awaits_members;
    (void)moat_sched_wait(worker, task, &last->waiters, MOAT_NO_DEADLINE, last);
    return true;
}

static void free_group(struct moat_group *group)
{
    list_remove(&group->opened);
    group->magic = 0;
    free(group);
}

void moat_groups_free(struct moat_task *task)
{
    struct link *at = task->groups.next;

    while (at != &task->groups) {
        struct moat_group *group = LINKED(at, struct moat_group, opened);

        at = at->next;
        if (group->guard != NULL) {
            group->guard->release(group);
            continue;
        }
        group->magic = 0;
        free(group);
    }
    list_init(&task->groups);
}

/* ---- The calls ---------------------------------------------------------- */

static enum verdict open_group(struct worker *worker, struct moat_task *task)
{
    struct moat_group *group;

    (void)worker;
    if (is_host(task))
        return answer(task, MOAT_E_STATE);
    group = calloc(1, sizeof *group);
    if (group == NULL)
        return answer(task, MOAT_E_NOMEM);
    moat_group_init(group, task, task->wish.of_group.flags);
    list_append(&task->groups, &group->opened);
    task->wish.of_group.group = group;
    return answer(task, MOAT_OK);
}

static enum verdict wait_for_group(struct worker *worker,
                                   struct moat_task *task)
{
    struct moat_group *group = task->wish.of_group.group;

    if (is_host(task))
        return answer(task, MOAT_E_STATE);
    if (group->live != 0)
        return moat_sched_wait(worker, task, &group->waiters, task->deadline,
                               group);
    result_copy(&task->result, &group->failure);
    return answer(task, MOAT_OK);
}

static enum verdict cancel_group(struct worker *worker, struct moat_task *task)
{
    moat_group_cancel_members(worker, task->wish.of_group.group);
    /* The caller may be a member. */
    if (task->cancelled && !task->unwinding) {
        enqueue(worker, task);
        task->satisfied = false;
        return QUEUED;
    }
    return answer(task, MOAT_OK);
}

static enum verdict empty_group(struct worker *worker, struct moat_task *task)
{
    struct moat_group *group = task->wish.of_group.group;

    if (group->owner != task)
        return answer(task, MOAT_E_STATE);
    moat_group_cancel_members(worker, group);
    return wait_for_group(worker, task);
}

static enum verdict release_group(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    free_group(task->wish.of_group.group);
    return answer(task, MOAT_OK);
}

static const struct op opens = {.perform = open_group,
                                .words = "opens a group"};
static const struct op waits = {.perform = wait_for_group,
                                .words = "waits for group",
                                .late = MOAT_E_TIMEOUT,
                                .on_tasks = true};
static const struct op cancels = {.perform = cancel_group,
                                  .words = "cancels group"};
static const struct op empties = {.perform = empty_group,
                                  .words = "closes group",
                                  .to_the_end = true,
                                  .on_tasks = true};
static const struct op releases = {
    .perform = release_group, .words = "frees group", .to_the_end = true};

static bool is_group(const moat_group *group)
{
    return group != NULL && group->magic == GROUP_MAGIC;
}

moat_status moat_group_open(moat_group **out, unsigned flags)
{
    struct moat_task *task = asker();
    moat_status status;

    if (out == NULL || (flags & ~MOAT_GROUP_FAIL_FAST) != 0)
        return out == NULL
                   ? refuse("out is NULL")
                   : refuse_value("flags is %x: only MOAT_GROUP_FAIL_FAST is "
                                  "known",
                                  flags);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.of_group.flags = flags;
    status = ask(task, &opens);
    if (status == MOAT_OK)
        *out = task->wish.of_group.group;
    return status;
}

moat_status moat_group_wait(moat_group *group, uint64_t deadline,
                            moat_result *first_failure)
{
    struct moat_task *task = asker();
    moat_status status;

    if (!is_group(group))
        return refuse_pointer("group is %x: no group", group);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.of_group.group = group;
    task->deadline = deadline;
    status = ask(task, &waits);
    if (status == MOAT_OK && first_failure != NULL)
        result_show(first_failure, &task->result);
    return status;
}

moat_status moat_group_cancel(moat_group *group)
{
    struct moat_task *task = asker();

    if (!is_group(group))
        return refuse_pointer("group is %x: no group", group);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.of_group.group = group;
    return ask(task, &cancels);
}

void moat_group_close(moat_group *group)
{
    struct moat_task *task = asker();

    if (!is_group(group) || task == NULL)
        return;
    task->wish.of_group.group = group;
    task->deadline = MOAT_NO_DEADLINE;
    if (ask(task, &empties) == MOAT_OK)
        (void)ask(task, &releases);
}
