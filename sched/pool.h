/*
 * pool.h: the memory of a run's tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

#include "sched/task.h"

struct slab;

/* In debug builds the memory of a task is not used for another one before so
 * many others have ended: a handle that is used too late is noticed. */
#ifdef NDEBUG
#    define POOL_KEEPS 0
#else
#    define POOL_KEEPS 1024
#endif

/* A task keeps more room than this only while it lives. */
#define KEEP_ROOM 4096

/* Tasks come in slabs and stay until the run ends: a handle that is used too
 * late finds a task, not foreign memory. */
struct pool {
    struct moat_task *spare;
    struct moat_task *gone, *gone_last; /* kept, the oldest first */
    unsigned kept;
    struct moat_task *late; /* gone, and not kept yet */
    struct slab *slabs;
};

/* Adds a slab. False: no memory. */
bool moat_pool_grow(struct pool *pool);

/* Keeps a task that is gone, and returns the oldest one if they are too many;
 * NULL: they are not. */
struct moat_task *moat_pool_keep(struct pool *pool, struct moat_task *task);

/* Where a task that has ended by a step is put, by one store: keeping it takes
 * several. */
static inline struct moat_task **pool_entrance(struct pool *pool)
{
    return POOL_KEEPS != 0 ? &pool->late : &pool->spare;
}

static inline void pool_put(struct pool *pool, struct moat_task *task)
{
    if (POOL_KEEPS != 0)
        task = moat_pool_keep(pool, task);
    if (task == NULL)
        return;
    task->next = pool->spare;
    pool->spare = task;
}

static inline void pool_keep_late(struct pool *pool)
{
    while (POOL_KEEPS != 0 && pool->late != NULL) {
        struct moat_task *task = pool->late;

        pool->late = task->next;
        pool_put(pool, task);
    }
}

/* NULL: no memory. All zero, except for its room and its entry of a timer. */
static inline struct moat_task *pool_take(struct pool *pool)
{
    struct moat_task *task;

    pool_keep_late(pool);
    if (MOAT_UNLIKELY(pool->spare == NULL) && !moat_pool_grow(pool))
        return NULL;
    task = pool->spare;
    pool->spare = task->next;
    task->next = NULL;
    return task;
}

static inline void pool_give(struct pool *pool, struct moat_task *task)
{
    task->magic = GONE_MAGIC;
    task->state = TASK_FREE;
    pool_keep_late(pool);
    pool_put(pool, task);
}

/* Calls a function for each task, also those that are free. */
void moat_pool_each(const struct pool *pool, void (*fn)(struct moat_task *));
void moat_pool_free(struct pool *pool);

#endif
