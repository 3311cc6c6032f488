/*
 * test_chan.c: channels and select.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/scene.h"

#define ITEMS 1000

static void *sends_numbers(void *arg)
{
    for (uint64_t i = 0; i < ITEMS; i++)
        EXPECT_EQ(send_number(arg, i), MOAT_OK);
    moat_chan_close(arg);
    return NULL;
}

static void receive_all(moat_chan *chan)
{
    uint64_t number;

    for (uint64_t i = 0; i < ITEMS; i++)
        EXPECT_EQ(recv_number(chan), i);
    EXPECT_EQ(moat_chan_recv(chan, &number, NEVER), MOAT_E_CLOSED);
    EXPECT_EQ(moat_chan_recv(chan, &number, 0), MOAT_E_CLOSED);
    EXPECT_EQ(moat_chan_send(chan, &number, NEVER), MOAT_E_CLOSED);
}

static void *receives_numbers(void *arg)
{
    static const size_t capacities[] = {0, 1, 7, ITEMS, 2 * ITEMS};

    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        moat_chan *chan = chan_of(8, capacities[i]);

        expect_context("capacity %zu", capacities[i]);
        (void)spawn(sends_numbers, chan);
        receive_all(chan);
        moat_chan_destroy(chan);
    }
    return arg;
}

static void items_arrive_in_order(const void *arg)
{
    (void)arg;
    (void)run(receives_numbers);
}

/* ---- Sizes ----------------------------------------------------------------
 */

struct big {
    unsigned char bytes[5000];
};

static void *sends_big_ones(void *arg)
{
    struct big big;

    for (int i = 0; i < 10; i++) {
        memset(&big, i, sizeof big);
        EXPECT_EQ(moat_chan_send(arg, &big, NEVER), MOAT_OK);
    }
    return NULL;
}

static void *receives_big_ones(void *arg)
{
    struct big got, expected;

    for (size_t capacity = 0; capacity < 3; capacity++) {
        moat_chan *chan = chan_of(sizeof(struct big), capacity);
        moat_task *task = spawn(sends_big_ones, chan);

        for (int i = 0; i < 10; i++) {
            memset(&expected, i, sizeof expected);
            EXPECT_EQ(moat_chan_recv(chan, &got, NEVER), MOAT_OK);
            EXPECT(memcmp(&got, &expected, sizeof got) == 0);
        }
        (void)join(task);
        moat_chan_destroy(chan);
    }
    return arg;
}

static void *uses_items_of_no_size(void *arg)
{
    moat_chan *chan = chan_of(0, 2);
    moat_chan *never = NULL;

    EXPECT_EQ(moat_chan_send(chan, NULL, 0), MOAT_OK);
    EXPECT_EQ(moat_chan_send(chan, NULL, 0), MOAT_OK);
    EXPECT_EQ(moat_chan_send(chan, NULL, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_chan_recv(chan, NULL, 0), MOAT_OK);
    moat_chan_destroy(chan);
    EXPECT_EQ(moat_chan_create(&never, SIZE_MAX, 2), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_create(&never, SIZE_MAX / 4, 2), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_create(NULL, 1, 2), MOAT_E_INVAL);
    EXPECT(never == NULL);
    return arg;
}

static void items_may_be_large_or_nothing(const void *arg)
{
    (void)arg;
    (void)run(receives_big_ones);
    (void)run(uses_items_of_no_size);
}

/* ---- Close and destroy ------------------------------------------------------
 */

static void *waits_to_receive(void *arg)
{
    uint64_t number;

    return (void *)(intptr_t)moat_chan_recv(arg, &number, NEVER);
}

static void *waits_to_send(void *arg)
{
    return (void *)(intptr_t)send_number(arg, 1);
}

static void *waits_in_select(void *arg)
{
    moat_select_case one = {arg, false, NULL};
    size_t chosen = 7;
    moat_status status = moat_select(&one, 1, NEVER, &chosen);

    EXPECT_EQ(chosen, 0);
    return (void *)(intptr_t)status;
}

static void close_on(moat_task_fn fn, void (*close)(moat_chan *))
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(fn, chan);
    moat_task_yield();
    close(chan);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ((intptr_t)join(tasks[i]).value, MOAT_E_CLOSED);
    if (close == moat_chan_close)
        moat_chan_destroy(chan);
}

static void *closes_on_all(void *arg)
{
    static const moat_task_fn fns[] = {waits_to_receive, waits_to_send,
                                       waits_in_select};

    for (size_t i = 0; i < 3; i++) {
        close_on(fns[i], moat_chan_close);
        close_on(fns[i], moat_chan_destroy);
    }
    moat_chan_close(NULL);
    moat_chan_destroy(NULL);
    return arg;
}

static void those_who_wait_hear_of_the_close(const void *arg)
{
    (void)arg;
    (void)run(closes_on_all);
}

static void *leaves_items(void *arg)
{
    moat_chan *chan = arg;

    EXPECT_EQ(send_number(chan, 1), MOAT_OK);
    EXPECT_EQ(send_number(chan, 2), MOAT_OK);
    moat_chan_close(chan);
    moat_chan_close(chan);
    return NULL;
}

static void *takes_what_is_left(void *arg)
{
    EXPECT_EQ(recv_number(arg), 1);
    EXPECT_EQ(recv_number(arg), 2);
    EXPECT_EQ(moat_chan_recv(arg, NULL, NEVER), MOAT_E_CLOSED);
    return NULL;
}

static void a_channel_outlives_runs(const void *arg)
{
    moat_chan *chan = chan_of(8, 2);

    (void)arg;
    (void)run_with(MOAT_CLOCK_TEST, leaves_items, chan, NULL);
    (void)run_with(MOAT_CLOCK_TEST, takes_what_is_left, chan, NULL);
    EXPECT_EQ(moat_chan_send(chan, &chan, 0), MOAT_E_STATE);
    moat_chan_close(chan);
    moat_chan_destroy(chan);
}

/* ---- Deadlines --------------------------------------------------------------
 */

static void *passes_deadlines(void *arg)
{
    moat_chan *chan = chan_of(8, 1);
    uint64_t number = 3;

    EXPECT_EQ(moat_chan_recv(chan, &number, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_chan_recv(chan, &number, moat_now() + MS), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_now(), MS);
    EXPECT_EQ(moat_chan_send(chan, &number, 0), MOAT_OK);
    EXPECT_EQ(moat_chan_send(chan, &number, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_chan_send(chan, &number, moat_now() + MS), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_now(), 2 * MS);
    EXPECT_EQ(number, 3);
    /* Nobody is left in a queue. */
    EXPECT_EQ(recv_number(chan), 3);
    EXPECT_EQ(moat_chan_recv(chan, &number, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_chan_send(NULL, &number, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_send(chan, NULL, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_recv(NULL, &number, 0), MOAT_E_INVAL);
    moat_chan_destroy(chan);
    return arg;
}

static void a_wait_has_a_deadline(const void *arg)
{
    (void)arg;
    (void)run(passes_deadlines);
}

/* ---- Select -----------------------------------------------------------------
 */

static void *selects_fairly(void *arg)
{
    moat_chan *chans[4];
    moat_select_case cases[5];
    unsigned times[5] = {0};
    uint64_t item = 0;

    for (size_t i = 0; i < 4; i++) {
        chans[i] = chan_of(8, 1);
        cases[i] = (moat_select_case){chans[i], false, &item};
    }
    cases[4] = (moat_select_case){NULL, true, &item};
    for (int turn = 0; turn < 4000; turn++) {
        size_t chosen = 9;

        for (size_t i = 0; i < 3; i++) {
            uint64_t number = i;

            (void)!moat_chan_send(chans[i], &number, 0);
        }
        EXPECT_EQ(moat_select(cases, 5, NEVER, &chosen), MOAT_OK);
        REQUIRE(chosen < 3);
        EXPECT_EQ(item, chosen);
        times[chosen]++;
    }
    for (size_t i = 0; i < 3; i++)
        EXPECT(times[i] > 1000 && times[i] < 1700);
    for (size_t i = 0; i < 4; i++)
        moat_chan_destroy(chans[i]);
    return arg;
}

static void *sends_later(void *arg)
{
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(send_number(arg, 11), MOAT_OK);
    return NULL;
}

static void *receives_later(void *arg)
{
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(recv_number(arg), 13);
    return NULL;
}

static void *selects_and_waits(void *arg)
{
    moat_chan *in = chan_of(8, 0), *out = chan_of(8, 0);
    uint64_t got = 0, sent = 13;
    moat_select_case cases[] = {{in, false, &got}, {out, true, &sent}};
    size_t chosen = 9;

    EXPECT_EQ(moat_select(cases, 2, 0, &chosen), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_select(cases, 2, moat_now() + MS, &chosen), MOAT_E_TIMEOUT);
    EXPECT_EQ(chosen, 9);
    (void)spawn(sends_later, in);
    EXPECT_EQ(moat_select(cases, 2, NEVER, &chosen), MOAT_OK);
    EXPECT_EQ(chosen, 0);
    EXPECT_EQ(got, 11);
    (void)spawn(receives_later, out);
    EXPECT_EQ(moat_select(cases, 2, NEVER, &chosen), MOAT_OK);
    EXPECT_EQ(chosen, 1);
    moat_chan_close(out);
    EXPECT_EQ(moat_select(cases, 2, NEVER, &chosen), MOAT_E_CLOSED);
    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(moat_select(NULL, 2, NEVER, &chosen), MOAT_E_INVAL);
    EXPECT_EQ(moat_select(cases, 0, NEVER, &chosen), MOAT_E_INVAL);
    cases[1].item = NULL;
    EXPECT_EQ(moat_select(cases, 2, NEVER, &chosen), MOAT_E_INVAL);
    moat_chan_destroy(in);
    moat_chan_destroy(out);
    return arg;
}

static void select_chooses_among_channels(const void *arg)
{
    (void)arg;
    (void)run(selects_fairly);
    (void)run(selects_and_waits);
}

/* Both ends of many channels in select at once. */
#define CHANS   16
#define PLAYERS 24
#define TURNS   400

static moat_chan *crowd[CHANS];
static uint64_t sent_sum, received_sum, sent_count, received_count;

static void *plays(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg * 2654435761u + 1;
    uint64_t items[6];
    moat_select_case cases[6];

    for (int turn = 0; turn < TURNS; turn++) {
        size_t chosen = 0;
        moat_status status;

        for (size_t i = 0; i < 6; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            items[i] = seed >> 40;
            cases[i] = (moat_select_case){crowd[(seed >> 33) % CHANS],
                                          (seed >> 37) % 2 == 0, &items[i]};
        }
        status = moat_select(cases, 6, moat_now() + MS, &chosen);
        if (status != MOAT_OK) {
            EXPECT_EQ(status, MOAT_E_TIMEOUT);
        } else if (cases[chosen].send) {
            sent_sum += items[chosen];
            sent_count++;
        } else {
            received_sum += items[chosen];
            received_count++;
        }
    }
    return NULL;
}

static void *lets_them_play(void *arg)
{
    moat_group *group = group_of(0);
    uint64_t item;

    for (size_t i = 0; i < CHANS; i++)
        crowd[i] = chan_of(8, i % 4);
    for (uintptr_t i = 0; i < PLAYERS; i++)
        EXPECT_EQ(moat_task_spawn(group, plays, (void *)i, NULL, NULL),
                  MOAT_OK);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    moat_group_close(group);
    for (size_t i = 0; i < CHANS; i++) {
        while (moat_chan_recv(crowd[i], &item, 0) == MOAT_OK) {
            received_sum += item;
            received_count++;
        }
        moat_chan_destroy(crowd[i]);
    }
    return arg;
}

static void nothing_is_lost_or_doubled_in_a_crowd(const void *arg)
{
    (void)arg;
    (void)run(lets_them_play);
    EXPECT(sent_count > PLAYERS * TURNS / 4);
    EXPECT_EQ(sent_count, received_count);
    EXPECT_EQ(sent_sum, received_sum);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(items_arrive_in_order),
        CHILD_CASE(items_may_be_large_or_nothing),
        CHILD_CASE(those_who_wait_hear_of_the_close),
        CHILD_CASE(a_channel_outlives_runs),
        CHILD_CASE(a_wait_has_a_deadline),
        CHILD_CASE(select_chooses_among_channels),
        CHILD_CASE(nothing_is_lost_or_doubled_in_a_crowd),
    };

    return child_cases_run("sched.chan", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
