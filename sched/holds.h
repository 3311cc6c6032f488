/*
 * holds.h: the locks that a task holds, which its end releases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_HOLDS_H
#define SCHED_HOLDS_H

#include <stdbool.h>

#include "sched/run.h"
#include "sched/task.h"

struct moat_sync;

struct hold {
    struct link link;       /* among the task's */
    struct moat_task *task; /* NULL: not held */
    struct moat_sync *object;
    /* Called when the task ends with it. */
    void (*abandon)(struct worker *worker, struct hold *hold);
};

/* The task takes the hold. */
void moat_hold_take(struct hold *hold, struct moat_task *task);
void moat_hold_drop(struct hold *hold);

/* The task's first hold of an object; NULL: none. */
struct hold *moat_hold_find(const struct moat_task *task,
                            const struct moat_sync *object);

/*
 * If many tasks hold an object at once, each has a hold of its own. It is
 * allocated before the task waits, so that handing the object over cannot fail.
 * False: no memory.
 */
bool moat_hold_ready(struct moat_task *task);
struct hold *
moat_hold_take_ready(struct moat_task *task, struct moat_sync *object,
                     void (*abandon)(struct worker *worker, struct hold *hold));
void moat_hold_drop_own(struct hold *hold);

/* The task has ended: all its holds are abandoned, the last one first. */
void moat_holds_abandon(struct worker *worker, struct moat_task *task);

#endif
