/*
 * pool.h: the memory of a run's tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

#include "sched/task.h"

struct slab;

/* Tasks come in slabs and stay until the run ends: a handle that is used too
 * late finds a task, not foreign memory. */
struct pool {
    struct moat_task *spare;
    struct slab *slabs;
};

/* Adds a slab. False: no memory. */
bool moat_pool_grow(struct pool *pool);

/* NULL: no memory. All zero, except for its room. */
static inline struct moat_task *pool_take(struct pool *pool)
{
    struct moat_task *task;

    if (MOAT_UNLIKELY(pool->spare == NULL) && !moat_pool_grow(pool))
        return NULL;
    task = pool->spare;
    pool->spare = task->next;
    task->next = NULL;
    return task;
}

static inline void pool_give(struct pool *pool, struct moat_task *task)
{
    task->magic = 0;
    task->state = TASK_FREE;
    task->next = pool->spare;
    pool->spare = task;
}

void moat_pool_free(struct pool *pool);

#endif
