/*
 * spawn.h: the parts of a spawn, for calls that do more than that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_SPAWN_H
#define SCHED_SPAWN_H

#include "sched/ask.h"

/* Makes the values that the new task inherits, and reads its options, NULL or
 * not, into the calling task's room. After MOAT_OK, if no task is spawned,
 * moat_spawn_give_up follows. */
moat_status moat_spawn_prepare(struct moat_task *task,
                               const moat_task_options *options);
void moat_spawn_give_up(struct moat_task *task);
/* Spawns what task->wish.spawn says; also the answer. */
enum verdict moat_spawn_perform(struct worker *worker, struct moat_task *task);

#endif
