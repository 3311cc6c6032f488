/*
 * scene.h: what the tests of tasks share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_SCENE_H
#define TESTS_SCHED_SCENE_H

#include <stdint.h>

#include <moat/sched.h>

#include "support/fixture.h"

#define NEVER MOAT_NO_DEADLINE
#define MS    UINT64_C(1000000)

/* Runs a task and expects the run to be whole: no task is left. */
static inline moat_sched_stats run_with(moat_clock clock, moat_task_fn fn,
                                        void *arg, moat_result *out)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.clock = clock;
    options.report_fd = -1;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, fn, arg, out), MOAT_OK);
    EXPECT_EQ(stats.live, 0);
    EXPECT_EQ(stats.spawned, stats.returned + stats.trapped + stats.panicked +
                                 stats.cancelled);
    return stats;
}

/* The same with the clock for tests; the task must return. */
static inline moat_sched_stats run(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    moat_sched_stats stats = run_with(MOAT_CLOCK_TEST, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    return stats;
}

static inline moat_task *spawn(moat_task_fn fn, void *arg)
{
    moat_task *task = NULL;

    REQUIRE(moat_task_spawn(NULL, fn, arg, NULL, &task) == MOAT_OK);
    return task;
}

static inline moat_task *spawn_in(moat_group *group, moat_task_fn fn, void *arg)
{
    moat_task *task = NULL;

    REQUIRE(moat_task_spawn(group, fn, arg, NULL, &task) == MOAT_OK);
    return task;
}

static inline moat_result join(moat_task *task)
{
    moat_result result = {.kind = MOAT_EVENT_YIELD};

    EXPECT_EQ(moat_task_join(task, NEVER, &result), MOAT_OK);
    return result;
}

static inline moat_chan *chan_of(size_t item_bytes, size_t capacity)
{
    moat_chan *chan = NULL;

    REQUIRE(moat_chan_create(&chan, item_bytes, capacity) == MOAT_OK);
    return chan;
}

static inline moat_status send_number(moat_chan *chan, uint64_t number)
{
    return moat_chan_send(chan, &number, NEVER);
}

static inline uint64_t recv_number(moat_chan *chan)
{
    uint64_t number = 0;

    EXPECT_EQ(moat_chan_recv(chan, &number, NEVER), MOAT_OK);
    return number;
}

static inline moat_group *group_of(unsigned flags)
{
    moat_group *group = NULL;

    REQUIRE(moat_group_open(&group, flags) == MOAT_OK);
    return group;
}

#endif
