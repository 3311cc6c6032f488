/*
 * movers.h: what the tests of migratable tasks share: threads that are occupied
 * so that a task has to go elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_MOVERS_H
#define TESTS_SCHED_MOVERS_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sched/scene.h"

/* The way to the thread's own: functions that are not inlined. */
static __attribute__((noinline)) pthread_t this_thread(void)
{
    __asm__ volatile("");
    return pthread_self();
}

static __attribute__((noinline)) int *this_errno(void)
{
    __asm__ volatile("");
    return &errno;
}

static inline bool is_here(pthread_t thread)
{
    return pthread_equal(thread, this_thread()) != 0;
}

static inline moat_task *spawn_mover(moat_task_fn fn, void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;

    options.migratable = true;
    REQUIRE(moat_task_spawn(NULL, fn, arg, &options, &task) == MOAT_OK);
    return task;
}

/* Runs on so many threads; the first task is not migratable. */
static inline moat_sched_stats run_movers(unsigned threads, moat_clock clock,
                                          moat_task_fn fn)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    options.threads = threads;
    options.clock = clock;
    options.report_fd = -1;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, fn, NULL, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.live, 0);
    return stats;
}

/*
 * One of these tasks on each of two threads. Neither leaves its thread before
 * both are there. The one on the mover's thread calls `before` and stays until
 * the mover has left; the other one calls `then` and ends.
 */
struct occupation {
    pthread_t thread; /* the mover's, while it waits */
    atomic_int there;
    atomic_bool left;
    void (*before)(void); /* on the mover's thread */
    void (*then)(void);
};

static void *occupies(void *arg)
{
    struct occupation *occupation = arg;

    atomic_fetch_add(&occupation->there, 1);
    while (atomic_load(&occupation->there) < 2)
        ;
    if (!is_here(occupation->thread)) {
        if (occupation->then != NULL)
            occupation->then();
        return NULL;
    }
    if (occupation->before != NULL)
        occupation->before();
    while (!atomic_load(&occupation->left))
        ;
    return NULL;
}

static inline void occupy(struct occupation *occupation)
{
    moat_task *first, *second;

    atomic_store(&occupation->there, 0);
    first = spawn(occupies, occupation);
    second = spawn(occupies, occupation);
    (void)join(first);
    (void)join(second);
}

#endif
