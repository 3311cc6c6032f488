/*
 * test_slices.c: tasks that compute for ever take turns with the others, and
 * nothing is half done wherever a slice ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>

#include "sched/scene.h"

static moat_sched_stats run_sliced(unsigned threads, uint64_t slice_ns,
                                   moat_task_fn fn)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    options.threads = threads;
    options.slice_ns = slice_ns;
    options.report_fd = -1;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, fn, NULL, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.live, 0);
    return stats;
}

/* ---- A task that never waits ---- */

static atomic_ulong laps;

static void *loops(void *arg)
{
    for (;;)
        atomic_fetch_add(&laps, 1);
    return arg;
}

static void *sums(void *arg)
{
    unsigned long sum = 0;

    for (volatile unsigned long i = 0; i < 2000000; i++)
        sum += i;
    EXPECT_EQ(sum, 2000000UL * 1999999 / 2);
    return arg;
}

static void *beside_loops(void *arg)
{
    moat_task *loopers[3], *worker;
    moat_result result;

    for (unsigned i = 0; i < 3; i++)
        loopers[i] = spawn(loops, NULL);
    worker = spawn(sums, NULL);
    EXPECT_EQ(moat_task_join(worker, NEVER, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT(laps > 0);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_EQ(moat_task_cancel(loopers[i]), MOAT_OK);
        EXPECT_EQ(moat_task_join(loopers[i], NEVER, &result), MOAT_OK);
        EXPECT_EQ(result.kind, MOAT_EVENT_CANCELLED);
    }
    return arg;
}

static void a_task_that_loops_does_not_stall_the_others(const void *arg)
{
    moat_sched_stats stats = run_sliced(1, MS, beside_loops);

    (void)arg;
    EXPECT_EQ(stats.cancelled, 3);
}

/* ---- Slices that end anywhere ---- */

#define STAGES 4
#define ITEMS  2000

static moat_chan *pipes[STAGES + 1];

static void *passes_on(void *arg)
{
    size_t stage = (uintptr_t)arg;

    for (unsigned i = 0; i < ITEMS; i++) {
        unsigned item = ITEMS;

        EXPECT_EQ(moat_chan_recv(pipes[stage], &item, NEVER), MOAT_OK);
        if (!EXPECT_EQ(item, i))
            return NULL;
        EXPECT_EQ(moat_chan_send(pipes[stage + 1], &item, NEVER), MOAT_OK);
    }
    return arg;
}

static void *feeds(void *arg)
{
    for (unsigned i = 0; i < ITEMS; i++)
        EXPECT_EQ(moat_chan_send(pipes[0], &i, NEVER), MOAT_OK);
    return arg;
}

static void *pumps(void *arg)
{
    moat_task *looper = spawn(loops, NULL);
    moat_result result;

    for (size_t i = 0; i <= STAGES; i++)
        REQUIRE(moat_chan_create(&pipes[i], sizeof(unsigned), i % 2 * 3) ==
                MOAT_OK);
    (void)spawn(feeds, NULL);
    for (size_t i = 0; i < STAGES; i++)
        (void)spawn(passes_on, (void *)i);
    for (unsigned i = 0; i < ITEMS; i++) {
        unsigned item = ITEMS;

        EXPECT_EQ(moat_chan_recv(pipes[STAGES], &item, NEVER), MOAT_OK);
        if (!EXPECT_EQ(item, i))
            break;
    }
    EXPECT_EQ(moat_task_cancel(looper), MOAT_OK);
    EXPECT_EQ(moat_task_join(looper, NEVER, &result), MOAT_OK);
    for (size_t i = 0; i <= STAGES; i++)
        moat_chan_destroy(pipes[i]);
    return arg;
}

static void no_item_is_lost_wherever_a_slice_ends(const void *arg)
{
    (void)arg;
    (void)run_sliced(1, 20000, pumps);
    (void)run_sliced(2, 20000, pumps);
}

/* ---- Spawns and joins ---- */

static void *adds(void *arg)
{
    for (volatile unsigned i = 0; i < 1000; i++)
        continue;
    return arg;
}

static void *spawns_often(void *arg)
{
    for (uintptr_t i = 0; i < 2000; i++) {
        moat_result result;

        EXPECT_EQ(moat_task_join(spawn(adds, (void *)i), NEVER, &result),
                  MOAT_OK);
        EXPECT(result.value == (void *)i);
    }
    return arg;
}

static void *spawners(void *arg)
{
    for (unsigned i = 0; i < 3; i++)
        (void)spawn(spawns_often, NULL);
    return spawns_often(arg);
}

static void no_task_is_lost_wherever_a_slice_ends(const void *arg)
{
    (void)arg;
    (void)run_sliced(1, 20000, spawners);
    (void)run_sliced(2, 20000, spawners);
}

#define CASE(function)                                                        \
    {                                                                         \
#        function, function, NULL, UNDER_TSAN ? "signals are delayed" : NULL, \
            0, 0                                                              \
    }

static const struct child_case cases[] = {
    CASE(a_task_that_loops_does_not_stall_the_others),
    CASE(no_item_is_lost_wherever_a_slice_ends),
    CASE(no_task_is_lost_wherever_a_slice_ends),
};

int main(int argc, char **argv)
{
    return child_cases_run("slices", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
