/*
 * watch.h: a run whose times are measured. The worker's clock is then read at
 * the begin of each turn and each time that the task comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_WATCH_H
#define SCHED_WATCH_H

#include "sched/ask.h"
#include "sched/run.h"
#include "sched/task.h"

/* A turn begins. */
void moat_times_begin(struct worker *worker, struct moat_task *task);
/* It has ended. The task may be gone. */
void moat_times_end(struct worker *worker);

/* The task does not go on at once: notes in what it waits, for its next turn.
 */
static inline void moat_times_wait(struct moat_task *task)
{
    if (task->state == TASK_WAITING)
        task->watched_in = task->waits_in->words;
}

#endif
