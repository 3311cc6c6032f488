/*
 * test_step.c: tasks hand items and turns to each other on their own stacks. A
 * task that is stopped there, at whatever instruction, takes no more with it
 * than the item that it had in its hands, and the others go on. And however
 * fast two of them exchange items, the others have their turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sched/steps.h"

#define ITEMS 3
#define AFTER 3 /* that come once the victim is gone */

/* ---- Stopped at any instruction -------------------------------------------
 */

struct play {
    moat_chan *chan, *other;
    bool victim_sends, selects;
    size_t capacity;
    uint64_t seen[ITEMS + AFTER + 1]; /* by the receiver */
    size_t seen_count;
    volatile uint64_t done; /* calls of the victim that have returned */
};

static struct play *play;

static bool receive_one(uint64_t *item)
{
    moat_select_case cases[2] = {{play->chan, false, item},
                                 {play->other, false, item}};

    if (play->selects)
        return moat_select(cases, 2, NEVER, NULL) == MOAT_OK;
    return moat_chan_recv(play->chan, item, NEVER) == MOAT_OK;
}

static bool send_one(uint64_t item)
{
    moat_select_case cases[2] = {{play->chan, true, &item},
                                 {play->other, false, NULL}};

    if (play->selects)
        return moat_select(cases, 2, NEVER, NULL) == MOAT_OK;
    return send_number(play->chan, item) == MOAT_OK;
}

static void see(uint64_t item)
{
    REQUIRE(play->seen_count < ITEMS + AFTER + 1);
    play->seen[play->seen_count++] = item;
}

static void *is_stepped(void *arg)
{
    uint64_t item;

    begin_steps();
    for (uint64_t i = 0; i < ITEMS; i++) {
        if (play->victim_sends ? send_one(i) : receive_one(&item))
            play->done++;
    }
    end_steps();
    return arg;
}

static void *receives_all(void *arg)
{
    uint64_t item;

    while (receive_one(&item))
        see(item);
    return arg;
}

static void *sends_all(void *arg)
{
    for (uint64_t i = 0; i < ITEMS; i++)
        EXPECT(send_one(i));
    return arg;
}

/* What came before the victim was gone: at most one item of it is lost, the
 * one that it had just taken, and at most one more has come than it knows of,
 * the one that it had just given. */
static void expect_items(void)
{
    uint64_t first = 0, count;

    if (!play->victim_sends) {
        first = play->seen_count != 0 ? play->seen[0] : ITEMS;
        EXPECT(first == play->done || first == play->done + 1);
        EXPECT_EQ(play->seen_count, ITEMS - first);
        for (uint64_t i = 0; i < play->seen_count; i++)
            EXPECT_EQ(play->seen[i], first + i);
        return;
    }
    count = play->seen_count - AFTER;
    EXPECT(count == play->done || count == play->done + 1);
    for (uint64_t i = 0; i < count; i++)
        EXPECT_EQ(play->seen[i], i);
    for (uint64_t i = 0; i < AFTER; i++)
        EXPECT_EQ(play->seen[count + i], 100 + i);
}

static moat_result last;

static void *plays(void *arg)
{
    moat_task *victim, *partner;
    uint64_t item;

    steps = 0;
    stopped = false;
    play->done = play->seen_count = 0;
    play->chan = chan_of(8, play->capacity);
    play->other = chan_of(8, 0);
    partner = spawn(play->victim_sends ? receives_all : sends_all, NULL);
    victim = spawn(is_stepped, NULL);
    last = join(victim);
    stepped = NULL;
    if (play->victim_sends) {
        for (uint64_t i = 0; i < AFTER; i++)
            EXPECT_EQ(send_number(play->chan, 100 + i), MOAT_OK);
        /* The items are received before the close is. */
        moat_chan_close(play->chan);
        EXPECT_EQ(join(partner).kind, MOAT_EVENT_RETURN);
    } else {
        uint64_t deadline = moat_now() + MS;

        while (moat_chan_recv(play->chan, &item, deadline) == MOAT_OK)
            see(item);
        EXPECT_EQ(join(partner).kind, MOAT_EVENT_RETURN);
    }
    expect_items();
    moat_chan_destroy(play->chan);
    moat_chan_destroy(play->other);
    return arg;
}

static void try_one(void)
{
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, stopped);
    EXPECT_EQ(last.kind, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
}

static void stop_at_all(bool victim_sends, bool selects, size_t capacity)
{
    struct play this = {
        .victim_sends = victim_sends, .selects = selects, .capacity = capacity};
    long count;

    play = &this;
    stop_at = 0;
    (void)run(plays);
    EXPECT_EQ(last.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(this.done, ITEMS);
    count = steps;
    EXPECT(count > 300);
    (void)stop_everywhere(count, try_one);
}

/* A step itself is a few dozen instructions: the distance is a prime of the
 * same order. */
static void a_step_may_be_stopped(const void *arg)
{
    (void)arg;
    if (getenv("MOAT_TEST_EVERY") == NULL)
        REQUIRE(setenv("MOAT_TEST_EVERY", "251", 1) == 0);
    prepare_steps();
    for (size_t capacity = 0; capacity <= 2; capacity += 2) {
        stop_at_all(true, false, capacity);
        stop_at_all(false, false, capacity);
        stop_at_all(true, true, capacity);
        stop_at_all(false, true, capacity);
    }
}

/* ---- After a transfer -----------------------------------------------------
 */

static __attribute__((no_sanitize("undefined"))) void faults(const int *unused)
{
    (void)unused;
    *(volatile int *)NULL = 1;
}

struct pair {
    moat_chan *first, *second;
};

/* Waits in a transfer, and traps when it is unwound from there. */
static void *hands_over(void *arg)
{
    const struct pair *pair = arg;
    __attribute__((cleanup(faults))) int unused = 0;

    EXPECT_EQ(send_number(pair->first, 1), MOAT_OK);
    (void)recv_number(pair->second);
    EXPECT(unused != 0); /* not reached */
    return arg;
}

/* Its end cancels the giver. */
static void *takes_over(void *arg)
{
    const struct pair *pair = arg;
    moat_group *group = group_of(0);

    (void)spawn_in(group, hands_over, arg);
    EXPECT_EQ(recv_number(pair->first), 1);
    return arg;
}

static void *takes_once_more(void *arg)
{
    const struct pair *pair = arg;

    EXPECT_EQ(recv_number(pair->first), 77);
    return arg;
}

static void *ends_a_taker(void *arg)
{
    struct pair pair = {chan_of(8, 0), chan_of(8, 0)};
    moat_task *taker;
    uint64_t item = 2;

    /* A channel's first use is the worker's: it becomes the run's. */
    EXPECT_EQ(moat_chan_recv(pair.second, NULL, 0), MOAT_E_TIMEOUT);
    taker = spawn(takes_over, &pair);
    EXPECT_EQ(join(taker).kind, MOAT_EVENT_RETURN);
    /* The giver does not wait any more, and the taker is not run again. */
    EXPECT_EQ(moat_chan_send(pair.second, &item, 0), MOAT_E_TIMEOUT);
    taker = spawn(takes_once_more, &pair);
    EXPECT_EQ(send_number(pair.first, 77), MOAT_OK);
    EXPECT_EQ(join(taker).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK); /* any that can run does */
    moat_chan_destroy(pair.first);
    moat_chan_destroy(pair.second);
    return arg;
}

static void a_transfer_is_over_when_its_taker_has_ended(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    stats = run(ends_a_taker);
    EXPECT_EQ(stats.spawned, 4);
    EXPECT_EQ(stats.trapped, 1);
    EXPECT_EQ(stats.returned, 3);
}

/* ---- Fairness -------------------------------------------------------------
 */

static volatile bool over;
static volatile size_t exchanged;

static void *sends_until_over(void *arg)
{
    for (uint64_t i = 0; !over; i++) {
        REQUIRE(send_number(arg, i) == MOAT_OK);
        exchanged++;
    }
    moat_chan_close(arg);
    return NULL;
}

static void *receives_in_order(void *arg)
{
    uint64_t item, next = 0;

    while (moat_chan_recv(arg, &item, NEVER) == MOAT_OK)
        EXPECT_EQ(item, next++);
    moat_chan_destroy(arg); /* the sender has closed it, and ended */
    return NULL;
}

static void start_exchange(void)
{
    moat_chan *chan = chan_of(8, 0);

    over = false;
    exchanged = 0;
    (void)spawn(receives_in_order, chan);
    (void)spawn(sends_until_over, chan);
}

/* The exchange may have so many turns between two of another task's. */
#define TURNS_BETWEEN 200

static void *takes_turns(void *arg)
{
    start_exchange();
    for (size_t i = 0; i < 100; i++) {
        size_t before = exchanged;

        moat_task_yield();
        EXPECT(exchanged - before <= TURNS_BETWEEN);
    }
    EXPECT(exchanged > 100);
    over = true;
    return arg;
}

static void an_exchange_lets_others_run(const void *arg)
{
    (void)arg;
    (void)run(takes_turns);
}

/* With the real clock: the exchange never waits, and no test ends it but the
 * deadline. */
static void *sleeps_beside(void *arg)
{
    start_exchange();
    EXPECT_EQ(moat_sleep(2 * MS), MOAT_OK);
    EXPECT(exchanged > 0);
    over = true;
    return arg;
}

static void an_exchange_lets_time_pass(const void *arg)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    (void)run_with(MOAT_CLOCK_REAL, sleeps_beside, NULL, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
}

static void *returns(void *arg)
{
    return arg;
}

static void *spawns_next(void *arg)
{
    if (!over)
        (void)spawn(spawns_next, arg);
    exchanged++;
    return NULL;
}

/* Each task spawns another, which comes before those that are older. */
static void *is_overtaken(void *arg)
{
    moat_task *older;

    over = false;
    exchanged = 0;
    (void)spawn(spawns_next, NULL);
    older = spawn(returns, NULL);
    EXPECT_EQ(join(older).kind, MOAT_EVENT_RETURN);
    EXPECT(exchanged > 1);
    EXPECT(exchanged < 2000);
    over = true;
    return arg;
}

static void a_new_task_starts_in_the_end(const void *arg)
{
    (void)arg;
    (void)run(is_overtaken);
}

/* ---- Threads --------------------------------------------------------------
 */

#define THREADS  3
#define MESSAGES 2000

/* A run of one thread takes no lock and is not atomic: others may do the same
 * beside it, and a thread outside may wake its tasks. */
struct exchange {
    moat_waker *waker;
    moat_chan *chan, *full;
    uint64_t sum;
};

static void *sends_both_ways(void *arg)
{
    const struct exchange *mine = arg;

    for (uint64_t i = 0; i < MESSAGES; i++) {
        EXPECT_EQ(send_number(mine->chan, i), MOAT_OK);
        EXPECT_EQ(send_number(mine->full, i), MOAT_OK);
    }
    return NULL;
}

static void *exchanges(void *arg)
{
    struct exchange *mine = arg;
    moat_task *sender;

    mine->chan = chan_of(8, 0);
    mine->full = chan_of(8, 3);
    sender = spawn(sends_both_ways, mine);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        mine->sum += recv_number(mine->chan);
        mine->sum += recv_number(mine->full);
    }
    EXPECT_EQ(join(sender).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_waker_wait(mine->waker, NEVER), MOAT_OK);
    moat_chan_destroy(mine->chan);
    moat_chan_destroy(mine->full);
    return arg;
}

static void *runs_an_exchange(void *arg)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    (void)run_with(MOAT_CLOCK_REAL, exchanges, arg, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    return NULL;
}

static void runs_share_nothing(const void *arg)
{
    struct exchange all[THREADS] = {{.sum = 0}};
    pthread_t threads[THREADS];

    (void)arg;
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(moat_waker_create(&all[i].waker) == MOAT_OK);
        REQUIRE(pthread_create(&threads[i], NULL, runs_an_exchange, &all[i]) ==
                0);
    }
    for (size_t i = 0; i < THREADS; i++)
        moat_waker_wake(all[i].waker);
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
        EXPECT_EQ(all[i].sum, (uint64_t)MESSAGES * (MESSAGES - 1));
        moat_waker_destroy(all[i].waker);
    }
}

/* ---- Time slices ----------------------------------------------------------
 */

/* A task that is interrupted anywhere in a call lets no other one see the
 * channel half changed. */
static void *exchanges_interrupted(void *arg)
{
    start_exchange();
    while (exchanged < 100000)
        moat_task_yield();
    over = true;
    return arg;
}

static void an_exchange_may_be_interrupted(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_status status;

    (void)arg;
    options.slice_ns = MS / 10;
    options.report_fd = -1;
    status = moat_sched_run(&options, exchanges_interrupted, NULL, NULL);
    if (status == MOAT_E_UNSUPPORTED)
        printf("skipped: sched.step slices: the engine has no time slices\n");
    else
        EXPECT_EQ(status, MOAT_OK);
}

static char order[16];
static size_t order_count;

static void *notes(void *arg)
{
    order[order_count++] = *(const char *)arg;
    return NULL;
}

static void *spawns_two(void *arg)
{
    static const char names[] = "ab";

    order[order_count++] = *(const char *)arg;
    (void)spawn(notes, (void *)&names[0]);
    (void)spawn(notes, (void *)&names[1]);
    return NULL;
}

/* Siblings keep their order, and a task's children come before its younger
 * siblings. */
static void *is_a_tree(void *arg)
{
    static const char names[] = "123";
    moat_group *group = group_of(0);

    order_count = 0;
    for (size_t i = 0; i < 3; i++)
        (void)spawn_in(group, spawns_two, (void *)&names[i]);
    EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
    moat_group_close(group);
    return arg;
}

static void a_tree_runs_depth_first(const void *arg)
{
    (void)arg;
    (void)run(is_a_tree);
    EXPECT_EQ(order_count, 9);
    EXPECT(memcmp(order, "1ab2ab3ab", 9) == 0);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_step_may_be_stopped", a_step_may_be_stopped, NULL, NEEDS_STEPS, 0,
         0},
        {"a_transfer_is_over_when_its_taker_has_ended",
         a_transfer_is_over_when_its_taker_has_ended, NULL, NULL, 0, 0},
        {"an_exchange_lets_others_run", an_exchange_lets_others_run, NULL, NULL,
         0, 0},
        {"an_exchange_lets_time_pass", an_exchange_lets_time_pass, NULL, NULL,
         0, 0},
        {"a_new_task_starts_in_the_end", a_new_task_starts_in_the_end, NULL,
         NULL, 0, 0},
        {"runs_share_nothing", runs_share_nothing, NULL, NULL, 0, 0},
        {"an_exchange_may_be_interrupted", an_exchange_may_be_interrupted, NULL,
         NULL, 0, 0},
        {"a_tree_runs_depth_first", a_tree_runs_depth_first, NULL, NULL, 0, 0},
    };

    return child_cases_run("sched.step", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
