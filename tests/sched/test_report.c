/*
 * test_report.c: deadlocks, dumps, failures that no task waits for, statistics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/scene.h"

static int *volatile nowhere;
static char text[65536];
static int ends[2];

static void open_report(void)
{
    char path[] = "/tmp/moat-report-XXXXXX";

    ends[0] = mkstemp(path);
    REQUIRE(ends[0] >= 0);
    (void)unlink(path);
    ends[1] = ends[0];
}

static void read_report(void)
{
    ssize_t length = pread(ends[0], text, sizeof text - 1, 0);

    REQUIRE(length >= 0);
    text[length] = '\0';
}

/* Runs with a report, which is in `text` afterwards. */
static moat_sched_stats report_of(moat_task_fn fn, moat_status expected)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    open_report();
    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = ends[1];
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, fn, NULL, NULL), expected);
    read_report();
    return stats;
}

static unsigned count_of(const char *words)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

/* ---- Deadlock ---------------------------------------------------------------
 */

static moat_status told[4];

static void *receives(void *arg)
{
    return (void *)(intptr_t)moat_chan_recv(arg, NULL, NEVER);
}

static void *is_stuck(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;
    moat_result result;

    options.name = "the receiver";
    EXPECT_EQ(moat_task_spawn(NULL, receives, chan, &options, &task), MOAT_OK);
    /* The join ends with the task, whose wait is the one that fails. */
    EXPECT_EQ(moat_task_join(task, NEVER, &result), MOAT_OK);
    EXPECT_EQ((intptr_t)result.value, MOAT_E_DEADLOCK);
    EXPECT_EQ(moat_chan_recv(chan, NULL, NEVER), MOAT_E_DEADLOCK);
    moat_chan_destroy(chan);
    return arg;
}

static moat_task *each_other[2];

static void *joins_the_other(void *arg)
{
    size_t i = (size_t)arg;

    told[i] = moat_task_join(each_other[1 - i], NEVER, NULL);
    return NULL;
}

static void *joins_in_a_circle(void *arg)
{
    each_other[0] = spawn(joins_the_other, (void *)0);
    each_other[1] = spawn(joins_the_other, (void *)1);
    return arg;
}

static void a_deadlock_is_an_error_at_the_waits(const void *arg)
{
    (void)arg;
    EXPECT_EQ(report_of(is_stuck, MOAT_OK).deadlocks, 2);
    EXPECT_EQ(count_of("every task waits"), 1);
    EXPECT_EQ(count_of("'the receiver': waiting, receives from channel"), 1);
    EXPECT_EQ(count_of("task 1: waiting, joins task 2"), 1);
    EXPECT_EQ(count_of("spawned at is_stuck+"), 1);
    EXPECT(count_of("moat_task_join") >= 1);
    EXPECT_EQ(report_of(joins_in_a_circle, MOAT_OK).deadlocks, 1);
    /* Both waits fail, or the one whose task ended by that is joined. */
    EXPECT(told[0] == MOAT_E_DEADLOCK || told[1] == MOAT_E_DEADLOCK);
}

static void *sleeps_for_ever(void *arg)
{
    EXPECT_EQ(moat_sleep(NEVER), MOAT_E_DEADLOCK);
    return arg;
}

static void a_sleep_without_end_is_a_deadlock(const void *arg)
{
    (void)arg;
    EXPECT_EQ(report_of(sleeps_for_ever, MOAT_OK).deadlocks, 1);
}

/* ---- Failures
 * ---------------------------------------------------------------- */

static void *crashes(void *arg)
{
    *nowhere = 1;
    return arg;
}

static void *lets_them_crash(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;
    moat_group *group = group_of(0);

    options.name = "alone";
    EXPECT_EQ(moat_task_spawn(NULL, crashes, NULL, &options, NULL), MOAT_OK);
    options.name = "forgotten";
    EXPECT_EQ(moat_task_spawn(NULL, crashes, NULL, &options, &task), MOAT_OK);
    options.name = "seen";
    EXPECT_EQ(moat_task_spawn(group, crashes, NULL, &options, NULL), MOAT_OK);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    return arg;
}

static void failures_that_nobody_sees_are_reported(const void *arg)
{
    (void)arg;
    EXPECT_EQ(report_of(lets_them_crash, MOAT_OK).trapped, 3);
    EXPECT_EQ(count_of("moat-sched: nobody waits for task"), 2);
    EXPECT_EQ(count_of("'alone', which has failed: null pointer access"), 1);
    EXPECT_EQ(count_of("'forgotten'"), 1);
    EXPECT_EQ(count_of("'seen'"), 0);
}

/* ---- Dumps
 * ------------------------------------------------------------------- */

static void *is_shown(void *arg)
{
    (void)!moat_chan_recv(arg, NULL, moat_now() + 5000 * MS);
    return NULL;
}

static void *dumps(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *ready;

    options.name = "a \"name\"\n";
    EXPECT_EQ(moat_task_spawn(NULL, is_shown, chan, &options, NULL), MOAT_OK);
    EXPECT_EQ(moat_sleep(1500 * MS), MOAT_OK);
    ready = spawn(is_shown, chan);
    EXPECT_EQ(moat_dump_tasks(ends[1]), MOAT_OK);
    EXPECT_EQ(moat_dump_tasks_json(ends[1]), MOAT_OK);
    EXPECT_EQ(moat_dump_tasks(-1), MOAT_E_INVAL);
    EXPECT_EQ(moat_dump_tasks(1000), MOAT_E_SYSTEM);
    EXPECT_EQ(moat_task_cancel(ready), MOAT_OK);
    moat_chan_close(chan);
    (void)join(ready);
    moat_chan_destroy(chan);
    return arg;
}

static void a_dump_shows_every_task(const void *arg)
{
    (void)arg;
    (void)report_of(dumps, MOAT_OK);
    EXPECT_EQ(count_of("task 1: running"), 1);
    EXPECT_EQ(count_of("waiting, receives from channel 0x"), 1);
    EXPECT_EQ(count_of(" for 1.500 s\n"), 1);
    EXPECT_EQ(count_of("task 3: not started"), 1);
    EXPECT_EQ(count_of("\"name\":\"a \\\"name\\\"\\u000a\""), 1);
    EXPECT_EQ(count_of("\"waited_ns\":1500000000"), 1);
    EXPECT(count_of("is_shown+") >= 2);
}

/* ---- Handles that are gone ---------------------------------------------- */

static void *returns(void *arg)
{
    return arg;
}

static void *joins_twice(void *arg)
{
    moat_task *others[64], *task = spawn(returns, NULL);

    (void)join(task);
    EXPECT_EQ(moat_task_join(task, NEVER, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_task_cancel(task), MOAT_E_INVAL);
#ifndef NDEBUG
    /* It is no other task's. */
    for (size_t i = 0; i < 64; i++)
        others[i] = spawn(returns, NULL);
    EXPECT_EQ(moat_task_cancel(task), MOAT_E_INVAL);
    for (size_t i = 0; i < 64; i++)
        EXPECT_EQ(join(others[i]).kind, MOAT_EVENT_RETURN);
#else
    (void)others;
#endif
    return arg;
}

static void a_handle_that_is_gone_is_told(const void *arg)
{
    (void)arg;
    (void)report_of(joins_twice, MOAT_OK);
#ifndef NDEBUG
    EXPECT_EQ(count_of("the handle of task 2, which is gone, is used by task "
                       "1: running"),
              3);
    EXPECT_EQ(count_of("joins_twice+"), 3);
#else
    EXPECT_EQ(count_of("gone"), 0);
#endif
}

/* ---- Statistics
 * ---------------------------------------------------------------- */

static void *counts(void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_task *task = spawn(crashes, NULL);

    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    EXPECT_EQ(stats.spawned, 2);
    EXPECT_EQ(stats.live, 2);
    (void)join(task);
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    EXPECT_EQ(stats.trapped, 1);
    EXPECT_EQ(stats.live, 1);
    EXPECT_EQ(moat_sched_get_stats(NULL), MOAT_E_INVAL);
    stats.struct_size = 3;
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_E_INVAL);
    return arg;
}

static void a_run_counts(const void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    (void)arg;
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_E_STATE);
    stats = report_of(counts, MOAT_OK);
    EXPECT_EQ(stats.spawned, 2);
    EXPECT_EQ(stats.returned, 1);
    EXPECT(stats.switches >= 3);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_deadlock_is_an_error_at_the_waits),
        CHILD_CASE(a_sleep_without_end_is_a_deadlock),
        CHILD_CASE(failures_that_nobody_sees_are_reported),
        CHILD_CASE(a_dump_shows_every_task),
        CHILD_CASE(a_run_counts),
        CHILD_CASE(a_handle_that_is_gone_is_told),
    };

    return child_cases_run("sched.report", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
