/*
 * test_timers.c: deadlines pass at their time, whichever were given up before,
 * came nearer or were put off.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/scene.h"

#define TASKS 300
#define WAITS 40

static uint64_t seed = 1;

static uint64_t random_below(uint64_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % limit;
}

static moat_chan *chans[TASKS];
static size_t waiting;

/* ---- In their order -------------------------------------------------------
 * Time stands still while a task can run: a deadline passes when it is now. */

static uint64_t last;

static void *waits_with_deadlines(void *arg)
{
    moat_chan *chan = chans[(uintptr_t)arg];

    for (int i = 0; i < WAITS; i++) {
        uint64_t deadline = moat_now() + 1 + random_below(MS);
        moat_status status = moat_chan_recv(chan, NULL, deadline);

        if (status == MOAT_E_TIMEOUT)
            EXPECT_EQ(moat_now(), deadline);
        else
            EXPECT_EQ(status, MOAT_OK);
        EXPECT(moat_now() <= deadline);
        EXPECT(moat_now() >= last);
        last = moat_now();
    }
    waiting--;
    return arg;
}

static void *wakes_some(void *arg)
{
    while (waiting != 0) {
        (void)moat_sleep(1 + random_below(MS / 100));
        for (int i = 0; i < 8; i++)
            (void)!moat_chan_send(chans[random_below(TASKS)], NULL, 0);
    }
    return arg;
}

static void *has_a_crowd(void *arg)
{
    waiting = TASKS;
    last = 0;
    for (uintptr_t i = 0; i < TASKS; i++) {
        chans[i] = chan_of(0, 0);
        (void)spawn(waits_with_deadlines, (void *)i);
    }
    (void)join(spawn(wakes_some, NULL));
    for (uintptr_t i = 0; i < TASKS; i++)
        moat_chan_destroy(chans[i]);
    return arg;
}

static void deadlines_pass_in_their_order(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    stats = run(has_a_crowd);
    EXPECT(stats.timeouts > TASKS);
    EXPECT_EQ(stats.timers, 0);
}

/* ---- Given up -------------------------------------------------------------
 */

#define MANY 5000

static void *sends_for_ever(void *arg)
{
    while (moat_chan_send(arg, NULL, NEVER) == MOAT_OK)
        ;
    return arg;
}

static void expect_timeout(moat_chan *chan, uint64_t deadline)
{
    EXPECT_EQ(moat_chan_recv(chan, NULL, deadline), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_now(), deadline);
}

/* Each deadline by `step` after the one before, and none passes. The sender
 * waits whenever the receiver has a look. */
static void give_up_many(int64_t step)
{
    moat_chan *chan = chan_of(0, 0), *quiet = chan_of(0, 0);
    uint64_t deadline = moat_now() + 3600 * (1000 * MS);
    moat_task *sender = spawn(sends_for_ever, chan);
    moat_select_case cases[] = {{chan, false, NULL}, {quiet, false, NULL}};

    for (int i = 0; i < MANY; i++) {
        size_t chosen;

        EXPECT_EQ(moat_select(cases, 2, deadline, &chosen), MOAT_OK);
        EXPECT_EQ(moat_chan_recv(chan, NULL, deadline), MOAT_OK);
        deadline += (uint64_t)step;
    }
    moat_chan_close(chan);
    EXPECT_EQ(join(sender).kind, MOAT_EVENT_RETURN);
    moat_chan_destroy(chan);
    expect_timeout(quiet, moat_now() + MS);
    expect_timeout(quiet, deadline);
    expect_timeout(quiet, deadline + 1);
    moat_chan_destroy(quiet);
}

static void *gives_up_many(void *arg)
{
    give_up_many(0);
    give_up_many(1000);
    give_up_many(-1000);
    return arg;
}

static void those_given_up_do_not_pass(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    stats = run(gives_up_many);
    EXPECT_EQ(stats.timeouts, 9);
    EXPECT_EQ(stats.timers, 0);
}

/* Tasks that have ended leave nothing for the next ones in their memory. */
static void *gives_one_up(void *arg)
{
    EXPECT_EQ(moat_chan_recv(arg, NULL, moat_now() + MS), MOAT_OK);
    return arg;
}

static void *sleeps_twice(void *arg)
{
    uint64_t now = moat_now(), ns = (uintptr_t)arg;

    EXPECT_EQ(moat_sleep(ns), MOAT_OK);
    EXPECT_EQ(moat_now(), now + ns);
    EXPECT_EQ(moat_sleep(2 * MS), MOAT_OK);
    EXPECT_EQ(moat_now(), now + ns + 2 * MS);
    return arg;
}

static void *reuses_memory(void *arg)
{
    moat_chan *chan = chan_of(0, 0);

    for (int round = 0; round < 20; round++) {
        moat_group *group = group_of(0);

        for (int i = 0; i < 100; i++)
            (void)spawn_in(group, gives_one_up, chan);
        moat_task_yield();
        for (int i = 0; i < 100; i++)
            EXPECT_EQ(moat_chan_send(chan, NULL, NEVER), MOAT_OK);
        EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
        moat_group_close(group);
        group = group_of(0);
        for (uintptr_t i = 0; i < 100; i++)
            (void)spawn_in(group, sleeps_twice, (void *)(1 + i * MS / 50));
        EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
        moat_group_close(group);
    }
    moat_chan_destroy(chan);
    return arg;
}

static void an_ended_task_has_no_timer(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    stats = run(reuses_memory);
    EXPECT_EQ(stats.timers, 0);
    EXPECT_EQ(stats.timeouts, 20 * 100 * 2);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(deadlines_pass_in_their_order),
        CHILD_CASE(those_given_up_do_not_pass),
        CHILD_CASE(an_ended_task_has_no_timer),
    };

    return child_cases_run("sched.timers", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
