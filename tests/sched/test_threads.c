/*
 * test_threads.c: runs on several threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sched/scene.h"

#define THREADS 8

static moat_sched_stats run_on(unsigned threads, moat_clock clock,
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

/* ---- A task stays where it has started ------------------------------------
 */

static _Thread_local int own;
static _Atomic int next_own;
static moat_chan *meeting;

static void *stays(void *arg)
{
    pthread_t thread = pthread_self();
    int number;

    if (own == 0)
        own = atomic_fetch_add(&next_own, 1) + 1;
    number = own;
    for (int i = 0; i < 20; i++) {
        errno = i;
        if ((uintptr_t)arg % 2 == 0)
            EXPECT_EQ(send_number(meeting, 1), MOAT_OK);
        else
            (void)recv_number(meeting);
        moat_task_yield();
        EXPECT_EQ(moat_sleep(1000), MOAT_OK);
        EXPECT(pthread_equal(thread, pthread_self()));
        EXPECT_EQ(own, number);
    }
    return NULL;
}

static void *starts_many(void *arg)
{
    moat_group *group = group_of(0);

    meeting = chan_of(8, 0);
    for (uintptr_t i = 0; i < 100; i++)
        (void)spawn_in(group, stays, (void *)i);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    moat_group_close(group);
    moat_chan_destroy(meeting);
    return arg;
}

static void a_task_stays_on_its_thread(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run_on(THREADS, MOAT_CLOCK_REAL, starts_many).returned, 101);
}

/* ---- Select over many channels ----------------------------------------------
 */

#define CHANS   64
#define PLAYERS 64
#define TURNS   100
#define CASES   8

static moat_chan *chans[CHANS];
static _Atomic uint64_t sent_sum, received_sum, sent, received;

static void *plays(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg * 2654435761u + 1;
    uint64_t items[CASES];
    moat_select_case cases[CASES];

    for (int turn = 0; turn < TURNS; turn++) {
        size_t chosen = 0;
        moat_status status;

        for (size_t i = 0; i < CASES; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            items[i] = seed >> 40;
            cases[i] = (moat_select_case){chans[(seed >> 33) % CHANS],
                                          (seed >> 45) % 2 == 0, &items[i]};
        }
        status = moat_select(cases, CASES, moat_now() + MS, &chosen);
        if (status != MOAT_OK) {
            EXPECT_EQ(status, MOAT_E_TIMEOUT);
        } else if (cases[chosen].send) {
            atomic_fetch_add(&sent_sum, items[chosen]);
            atomic_fetch_add(&sent, 1);
        } else {
            atomic_fetch_add(&received_sum, items[chosen]);
            atomic_fetch_add(&received, 1);
        }
    }
    return NULL;
}

static void *lets_them_play(void *arg)
{
    moat_group *group = group_of(0);
    uint64_t item;

    for (size_t i = 0; i < CHANS; i++)
        chans[i] = chan_of(8, i % 3);
    for (uintptr_t i = 0; i < PLAYERS; i++)
        (void)spawn_in(group, plays, (void *)i);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    moat_group_close(group);
    for (size_t i = 0; i < CHANS; i++) {
        while (moat_chan_recv(chans[i], &item, 0) == MOAT_OK) {
            received_sum += item;
            received++;
        }
        moat_chan_destroy(chans[i]);
    }
    return arg;
}

static void nothing_is_lost_between_threads(const void *arg)
{
    (void)arg;
    (void)run_on(THREADS, MOAT_CLOCK_REAL, lets_them_play);
    EXPECT(sent > 0);
    EXPECT_EQ(sent, received);
    EXPECT_EQ(sent_sum, received_sum);
}

/* ---- Close, cancel and deadlines against each other
 * --------------------------- */

static void *waits_in_select(void *arg)
{
    moat_chan **pair = arg;
    uint64_t item;
    moat_select_case cases[] = {{pair[0], false, &item},
                                {pair[1], false, &item}};
    moat_status status;

    do {
        status = moat_select(cases, 2, moat_now() + 50000, NULL);
    } while (status == MOAT_OK || status == MOAT_E_TIMEOUT);
    EXPECT_EQ(status, MOAT_E_CLOSED);
    return NULL;
}

static void *sends_until_closed(void *arg)
{
    moat_chan **pair = arg;

    while (send_number(pair[0], 1) == MOAT_OK)
        EXPECT_EQ(moat_sleep(10000), MOAT_OK);
    return NULL;
}

static void *closes_them(void *arg)
{
    for (int round = 0; round < 30; round++) {
        moat_chan *pair[2] = {chan_of(8, 0), chan_of(8, 1)};
        moat_group *group = group_of(0);
        moat_task *cancelled;

        for (int i = 0; i < 4; i++) {
            (void)spawn_in(group, waits_in_select, pair);
            (void)spawn_in(group, sends_until_closed, pair);
        }
        cancelled = spawn_in(group, waits_in_select, pair);
        EXPECT_EQ(moat_sleep((uint64_t)round * 20000), MOAT_OK);
        EXPECT_EQ(moat_task_cancel(cancelled), MOAT_OK);
        moat_chan_close(pair[0]);
        moat_chan_close(pair[1]);
        EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
        moat_group_close(group);
        moat_chan_destroy(pair[0]);
        moat_chan_destroy(pair[1]);
    }
    return arg;
}

static void close_meets_select_cancel_and_deadline(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run_on(THREADS, MOAT_CLOCK_REAL, closes_them).deadlocks, 0);
}

/* ---- Nothing can come any more
 * -------------------------------------------------- */

static void *is_stuck(void *arg)
{
    return (void *)(intptr_t)moat_chan_recv(arg, NULL, NEVER);
}

static void *gets_stuck(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *tasks[20];

    for (int i = 0; i < 20; i++)
        tasks[i] = spawn(is_stuck, chan);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ((intptr_t)join(tasks[i]).value, MOAT_E_DEADLOCK);
    moat_chan_destroy(chan);
    return arg;
}

static void a_deadlock_spans_threads(const void *arg)
{
    (void)arg;
    EXPECT(run_on(4, MOAT_CLOCK_REAL, gets_stuck).deadlocks > 0);
}

static void *sleeps(void *arg)
{
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(moat_sleep((uintptr_t)arg * 3600000 * MS), MOAT_OK);
    return NULL;
}

static void *sleeps_long(void *arg)
{
    moat_group *group = group_of(0);

    for (uintptr_t i = 1; i <= 100; i++)
        (void)spawn_in(group, sleeps, (void *)i);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    EXPECT_EQ(moat_now(), UINT64_C(1000) * 3600000 * MS);
    moat_group_close(group);
    return arg;
}

static void the_test_clock_jumps_when_all_threads_wait(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run_on(4, MOAT_CLOCK_TEST, sleeps_long).timeouts, 1000);
}

static void too_many_threads_are_refused(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    (void)arg;
    options.threads = 1025;
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_INVAL);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_task_stays_on_its_thread),
        CHILD_CASE(nothing_is_lost_between_threads),
        CHILD_CASE(close_meets_select_cancel_and_deadline),
        CHILD_CASE(a_deadlock_spans_threads),
        CHILD_CASE(the_test_clock_jumps_when_all_threads_wait),
        CHILD_CASE(too_many_threads_are_refused),
    };

    return child_cases_run("sched.threads", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
