/*
 * pool.c: the memory of a run's tasks, in slabs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/pool.h"
#include "sched/task.h"

#define PER_SLAB 64

struct slab {
    struct slab *next;
    struct moat_task tasks[PER_SLAB];
};

/* What is the same in each life of a task. */
static void prepare(struct moat_task *task)
{
    task->waiter.task = task;
    list_init(&task->groups);
    list_init(&task->holds);
}

bool moat_pool_grow(struct pool *pool)
{
    struct slab *slab = calloc(1, sizeof *slab);

    if (slab == NULL)
        return false;
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (size_t i = PER_SLAB; i-- > 0;) {
        prepare(&slab->tasks[i]);
        slab->tasks[i].next = pool->spare;
        pool->spare = &slab->tasks[i];
    }
    return true;
}

struct moat_task *moat_pool_keep(struct pool *pool, struct moat_task *task)
{
    struct moat_task *oldest = pool->gone;

    task->next = NULL;
    if (oldest == NULL)
        pool->gone = task;
    else
        pool->gone_last->next = task;
    pool->gone_last = task;
    if (oldest != NULL && pool->kept == POOL_KEEPS) {
        pool->gone = oldest->next;
        return oldest;
    }
    pool->kept++;
    return NULL;
}

void moat_pool_each(const struct pool *pool, void (*fn)(struct moat_task *))
{
    for (struct slab *slab = pool->slabs; slab != NULL; slab = slab->next)
        for (size_t i = 0; i < PER_SLAB; i++)
            fn(&slab->tasks[i]);
}

void moat_pool_free(struct pool *pool)
{
    while (pool->slabs != NULL) {
        struct slab *slab = pool->slabs;

        pool->slabs = slab->next;
        for (size_t i = 0; i < PER_SLAB; i++)
            free(slab->tasks[i].room);
        free(slab);
    }
}
