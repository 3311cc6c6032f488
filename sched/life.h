/*
 * life.h: the begin of a task, its end, and the delivery of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LIFE_H
#define SCHED_LIFE_H

#include "sched/kinds.h"
#include "sched/run.h"
#include "sched/task.h"

/* Makes a task of a kind, ready to run; NULL: no memory. */
struct moat_task *moat_life_begin(struct worker *worker,
                                  struct moat_group *group, moat_task_fn fn,
                                  void *arg, struct kind *kind);

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
