/*
 * pool.h: the memory of a run's tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

struct moat_task;
struct slab;

/* In debug builds the memory of a task is not used for another one before so
 * many others have ended: a handle that is used too late is noticed. */
#ifdef NDEBUG
#    define POOL_KEEPS 0
#else
#    define POOL_KEEPS 1024
#endif

/* Tasks come in slabs and stay until the run ends: a handle that is used too
 * late finds a task, not foreign memory. */
struct pool {
    struct moat_task *spare;
    struct moat_task *gone, *gone_last; /* kept, the oldest first */
    unsigned kept;
    struct slab *slabs;
};

/* NULL: no memory. All zero, except for its room. */
struct moat_task *moat_pool_take(struct pool *pool);
void moat_pool_give(struct pool *pool, struct moat_task *task);
void moat_pool_free(struct pool *pool);

#endif
