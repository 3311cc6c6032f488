/*
 * report.h: what a run reports without being asked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_REPORT_H
#define SCHED_REPORT_H

#include "sched/run.h"
#include "sched/task.h"

/* Reports the failure of a task that has ended, whose result no task takes. */
void moat_report_unseen(struct sched *run, const struct moat_task *task);
/* Deletes the exception that has left the task. The run is not locked
 * meanwhile: a destructor may close a channel. */
void moat_report_drop(struct sched *run, const struct moat_task *task);
/* A task has used the handle of one that is gone. */
void moat_report_stale(struct worker *worker, const struct moat_task *gone,
                       const struct moat_task *task);
/* Every task waits, and nothing can wake one. */
void moat_report_deadlock(struct worker *worker);

#endif
