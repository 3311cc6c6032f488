/*
 * group.h: groups, as the life of a task needs them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_GROUP_H
#define SCHED_GROUP_H

#include <stdbool.h>

#include "sched/run.h"
#include "sched/task.h"

void moat_group_init(struct moat_group *group, struct moat_task *owner,
                     unsigned flags);
void moat_group_enter(struct moat_group *group, struct moat_task *task);
/* Requests the end of all members. Nothing more can be spawned. */
void moat_group_cancel_members(struct worker *worker, struct moat_group *group);
/* The last member has ended, or one has failed. */
void moat_group_settle(struct worker *worker, struct moat_task *task);

static inline bool is_failure(const moat_result *result)
{
    return result->kind == MOAT_EVENT_TRAP ||
           result->kind == MOAT_EVENT_PANIC || result->status != MOAT_OK;
}

/* A member has ended: its result may be the group's failure. */
static inline void group_leave(struct worker *worker, struct moat_task *task)
{
    list_unlink(&task->member);
    task->group->live--;
    if (MOAT_UNLIKELY(task->group->live == 0 || task->group->guard != NULL ||
                      is_failure(&task->result)))
        moat_group_settle(worker, task);
}

/* Cancels the members of all groups that the task has opened, and lets it wait
 * for them, the last group first. False: none runs any more. */
bool moat_groups_await(struct worker *worker, struct moat_task *task);
/* Frees a task's groups, which have no members any more. */
void moat_groups_free(struct moat_task *task);

#endif
