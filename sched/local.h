/*
 * local.h: task-local values, as the life of a task needs them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LOCAL_H
#define SCHED_LOCAL_H

#include <moat/status.h>

#include "sched/run.h"
#include "sched/task.h"

/* On the stack of a task that is about to spawn another: makes the values that
 * the new one inherits, in `task->heir`. */
moat_status moat_locals_bequeath(struct moat_task *task);
/* The same task: no new one has taken them. */
void moat_locals_withdraw(struct moat_task *task);

/* The new task takes what was made for it. */
static inline void moat_locals_take(struct moat_task *created,
                                    struct moat_task *task)
{
    created->locals = task->heir;
    task->heir = NULL;
}

/* The task has ended: calls its destructors, and frees its values. The run is
 * not locked. */
void moat_locals_end(struct worker *worker, struct moat_task *task);

#endif
