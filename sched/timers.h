/*
 * timers.h: the deadlines of those who wait, the earliest first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TIMERS_H
#define SCHED_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moat_task;

/* A heap in which each entry has four children. It begins at index 1, so that
 * the children of an entry share a cache line. */
struct timer {
    uint64_t deadline;
    struct moat_task *task;
};

struct timers {
    struct timer *heap;
    size_t count, room;
};

/* Returns false if there is no memory. `task->timer` is the timer's index. */
bool moat_timers_add(struct timers *timers, struct moat_task *task,
                     uint64_t deadline);
void moat_timers_remove(struct timers *timers, struct moat_task *task);
/* The earliest deadline; MOAT_NO_DEADLINE if there is none. */
uint64_t moat_timers_next(const struct timers *timers);
/* The task with the earliest, if that is not after `now`; else NULL. */
struct moat_task *moat_timers_due(const struct timers *timers, uint64_t now);
void moat_timers_free(struct timers *timers);

#endif
