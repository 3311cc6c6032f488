/*
 * timers.h: the deadlines of those who wait, the earliest first.
 *
 * A heap in which each entry has four children. Most deadlines never come: the
 * wait ends before. So a timer that is cleared only leaves a mark in its task,
 * and its entry stays until it is the first, or until a later timer of the same
 * task takes it over. And no task has to know where its entry is: when an entry
 * moves, only the heap's own memory is written.
 *
 * A task has one entry that counts, named by `task->entry`, whose deadline is
 * not after the timer's. Others of the task's are orphans.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TIMERS_H
#define SCHED_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/task.h"

struct timer {
    uint64_t deadline;
    struct moat_task *task;
};

struct timers {
    struct timer *heap; /* from index 1 on; its children share a cache line */
    void *memory;       /* in which the heap lies */
    size_t count, room; /* of entries             */
    size_t armed;       /* timers that are set    */
};

/* Sets the timer of a task that has none. False: no memory. */
bool moat_timers_set(struct timers *timers, struct moat_task *task,
                     uint64_t deadline);
/* The earliest deadline; MOAT_NO_DEADLINE if there is none. */
uint64_t moat_timers_next(struct timers *timers);
/* The task with the earliest, if that is not after `now`; else NULL. The caller
 * clears its timer. */
struct moat_task *moat_timers_due(struct timers *timers, uint64_t now);
void moat_timers_free(struct timers *timers);

static inline void moat_timers_clear(struct timers *timers,
                                     struct moat_task *task)
{
    timers->armed -= task->timer != 0;
    task->timer = 0;
}

#endif
