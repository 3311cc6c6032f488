/*
 * test_peers.c: races that were bugs in other schedulers, on several threads.
 * The losses of each are counted here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>

#include "sched/scene.h"

#define THREADS 4
#define ROUNDS  300

/* `movers`: all tasks are migratable, if it is not NULL. */
static moat_sched_stats run_on_threads(moat_task_fn fn, const void *movers)
{
    moat_task_options task = MOAT_TASK_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    task.migratable = movers != NULL;
    options.task = &task;
    options.threads = THREADS;
    options.report_fd = -1;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, fn, NULL, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.live, 0);
    EXPECT_EQ(stats.deadlocks, 0);
    return stats;
}

static uint64_t random_of(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 40;
}

/* A deadline in the next microseconds: about when the others wake it. */
static uint64_t soon(uint64_t *seed)
{
    return moat_now() + random_of(seed) % 30000;
}

/* ---- A timer against a wake-up
 * ----------------------------------------------- A wait ends once: by the
 * deadline, and then nothing was taken, or by the wake-up, and then it was. */

static moat_semaphore permits;
static moat_chan *items;
static _Atomic uint64_t taken, received;

static void *takes_or_leaves(void *arg)
{
    uint64_t seed = (uintptr_t)arg, item;

    for (int i = 0; i < ROUNDS; i++) {
        moat_status status = moat_semaphore_acquire(&permits, soon(&seed));

        EXPECT(status == MOAT_OK || status == MOAT_E_TIMEOUT);
        taken += status == MOAT_OK;
        status = moat_chan_recv(items, &item, soon(&seed));
        EXPECT(status == MOAT_OK || status == MOAT_E_TIMEOUT);
        received += status == MOAT_OK;
    }
    return NULL;
}

static void *wakes(void *arg)
{
    uint64_t seed = (uintptr_t)arg, sent = 0;

    for (int i = 0; i < ROUNDS; i++) {
        EXPECT_EQ(moat_semaphore_release(&permits), MOAT_OK);
        sent += moat_chan_send(items, &sent, soon(&seed)) == MOAT_OK;
        if (i % 8 == 0)
            (void)moat_sleep(random_of(&seed) % 20000);
    }
    return (void *)(uintptr_t)sent;
}

#define PAIRS 8

static void *wakes_at_the_deadline(void *arg)
{
    moat_task *takers[PAIRS], *wakers[PAIRS];
    uint64_t sent = 0, left = 0, item;

    EXPECT_EQ(moat_semaphore_init(&permits, 0), MOAT_OK);
    items = chan_of(8, 1);
    for (uintptr_t i = 0; i < PAIRS; i++) {
        takers[i] = spawn(takes_or_leaves, (void *)(2 * i + 1));
        wakers[i] = spawn(wakes, (void *)(2 * i + 2));
    }
    for (int i = 0; i < PAIRS; i++) {
        EXPECT_EQ(join(takers[i]).kind, MOAT_EVENT_RETURN);
        sent += (uintptr_t)join(wakers[i]).value;
    }
    received += moat_chan_recv(items, &item, 0) == MOAT_OK;
    while (moat_semaphore_acquire(&permits, 0) == MOAT_OK)
        left++;
    EXPECT_EQ(taken + left, PAIRS * ROUNDS);
    EXPECT_EQ(received, sent);
    moat_semaphore_destroy(&permits);
    moat_chan_destroy(items);
    return arg;
}

static void a_timer_races_a_wake_up(const void *arg)
{
    (void)run_on_threads(wakes_at_the_deadline, arg);
}

/* ---- Stealing against a timed wait
 * ------------------------------------------- One thread sleeps until the next
 * deadline while others take its new tasks: each task has all its turns, and
 * each deadline its thread. */

static _Atomic uint64_t leaves;

static void *sleeps_and_spawns(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    uint64_t seed = depth + 1;
    moat_task *tasks[3];

    if (depth == 0) {
        (void)moat_sleep(random_of(&seed) % 50000);
        leaves++;
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        tasks[i] = spawn(sleeps_and_spawns, (void *)(depth - 1));
        EXPECT_EQ(moat_sleep(random_of(&seed) % 50000), MOAT_OK);
    }
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return NULL;
}

static void *grows_a_tree(void *arg)
{
    EXPECT_EQ(join(spawn(sleeps_and_spawns, (void *)6)).kind,
              MOAT_EVENT_RETURN);
    EXPECT_EQ(leaves, 729);
    return arg;
}

static void new_tasks_are_taken_during_timed_waits(const void *arg)
{
    EXPECT_EQ(run_on_threads(grows_a_tree, arg).returned, 1 + 1093);
}

/* ---- A cancelled sleeper, stolen
 * ---------------------------------------------- A task is cancelled from
 * another thread when its deadline passes, before it has started, or when it
 * was just woken: it is unwound once, or it returns. */

static _Atomic uint64_t unwound;

static void count_unwound(const int *unused)
{
    (void)unused;
    unwound++;
}

static void *sleeps_a_little(void *arg)
{
    __attribute__((cleanup(count_unwound), unused)) int here = 0;
    uint64_t seed = (uintptr_t)arg;

    (void)moat_sleep(random_of(&seed) % 30000);
    (void)moat_sleep(random_of(&seed) % 30000);
    return arg;
}

static void *cancels_sleepers(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (int round = 0; round < ROUNDS / 4; round++) {
        moat_task *tasks[8];
        uint64_t before = moat_now();

        for (int i = 0; i < 8; i++)
            tasks[i] =
                spawn(sleeps_a_little, (void *)(uintptr_t)(random_of(&seed)));
        (void)moat_sleep(random_of(&seed) % 30000);
        for (int i = 0; i < 8; i++)
            EXPECT_EQ(moat_task_cancel(tasks[i]), MOAT_OK);
        for (int i = 0; i < 8; i++) {
            moat_event_kind kind = join(tasks[i]).kind;

            EXPECT(kind == MOAT_EVENT_RETURN || kind == MOAT_EVENT_CANCELLED);
        }
        EXPECT(moat_now() >= before);
    }
    return NULL;
}

static void *has_cancellers(void *arg)
{
    moat_task *tasks[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        tasks[i] = spawn(cancels_sleepers, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void a_cancelled_sleeper_is_taken_over(const void *arg)
{
    moat_sched_stats stats;

    stats = run_on_threads(has_cancellers, arg);
    EXPECT_EQ(stats.returned + stats.cancelled,
              1 + THREADS + THREADS * 8 * (ROUNDS / 4));
    /* Not those that were cancelled before they began. */
    EXPECT(unwound <= THREADS * 8 * (ROUNDS / 4));
    EXPECT(unwound + 1 + THREADS >= stats.returned);
}

/* ---- ABBA between a queue and a task
 * ------------------------------------------- Two tasks on two threads, each of
 * which has the queue that the other wants: selects in opposite orders, and
 * each cancels, joins or wakes the other. */

static moat_chan *ab[2];

static void *selects_in_order(void *arg)
{
    size_t first = (uintptr_t)arg % 2;
    uint64_t in = 0, out = 1;
    moat_select_case cases[] = {{ab[first], true, &out},
                                {ab[1 - first], false, &in},
                                {ab[1 - first], true, &out},
                                {ab[first], false, &in}};

    for (int i = 0; i < ROUNDS; i++) {
        moat_status status = moat_select(cases, 4, moat_now() + 100000, NULL);

        EXPECT(status == MOAT_OK || status == MOAT_E_TIMEOUT);
    }
    return NULL;
}

static moat_task *_Atomic rivals[2];

static void *cancels_the_other(void *arg)
{
    size_t self = (uintptr_t)arg;
    moat_task *other;

    rivals[self] = moat_task_self();
    while ((other = rivals[1 - self]) == NULL)
        moat_task_yield();
    EXPECT_EQ(moat_task_cancel(other), MOAT_OK);
    (void)moat_sleep(MS);
    return NULL;
}

static void *crosses(void *arg)
{
    moat_task *tasks[8];

    ab[0] = chan_of(8, 0);
    ab[1] = chan_of(8, 0);
    for (uintptr_t i = 0; i < 8; i++)
        tasks[i] = spawn(selects_in_order, (void *)i);
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    moat_chan_destroy(ab[0]);
    moat_chan_destroy(ab[1]);
    for (int i = 0; i < ROUNDS / 4; i++) {
        moat_event_kind kinds[2];

        rivals[0] = rivals[1] = NULL;
        tasks[0] = spawn(cancels_the_other, (void *)0);
        tasks[1] = spawn(cancels_the_other, (void *)1);
        kinds[0] = join(tasks[0]).kind;
        kinds[1] = join(tasks[1]).kind;
        /* One may be unwound before it has cancelled the other. */
        EXPECT(kinds[0] == MOAT_EVENT_CANCELLED ||
               kinds[1] == MOAT_EVENT_CANCELLED);
    }
    return arg;
}

static void two_tasks_want_each_others_queues(const void *arg)
{
    (void)run_on_threads(crosses, arg);
}

/* ---- Close against select ---------------------------------------------------
 * A close while others select at the same channel, and at one that is closed at
 * the same time: each hears of it, and what was received was sent. */

static void *selects_until_closed(void *arg)
{
    moat_chan *const *pair = arg;
    uint64_t item, count = 0;
    moat_select_case cases[] = {{pair[0], false, &item},
                                {pair[1], false, &item}};
    moat_status status;

    while ((status = moat_select(cases, 2, NEVER, NULL)) == MOAT_OK)
        count++;
    EXPECT_EQ(status, MOAT_E_CLOSED);
    received += count;
    return NULL;
}

static void *sends_until_closed(void *arg)
{
    moat_chan *const *pair = arg;
    uint64_t item = 1, count = 0;
    moat_select_case cases[] = {{pair[0], true, &item}, {pair[1], true, &item}};
    moat_status status;

    while ((status = moat_select(cases, 2, NEVER, NULL)) == MOAT_OK)
        count++;
    EXPECT_EQ(status, MOAT_E_CLOSED);
    taken += count;
    return NULL;
}

static void *closes_in_the_middle(void *arg)
{
    uint64_t seed = 1, item;

    for (int round = 0; round < ROUNDS / 10; round++) {
        moat_chan *pair[2] = {chan_of(8, 0), chan_of(8, 2)};
        moat_group *group = group_of(0);

        for (int i = 0; i < 3; i++) {
            (void)spawn_in(group, selects_until_closed, pair);
            (void)spawn_in(group, sends_until_closed, pair);
        }
        EXPECT_EQ(moat_sleep(random_of(&seed) % 300000), MOAT_OK);
        moat_chan_close(pair[round % 2]);
        moat_chan_close(pair[1 - round % 2]);
        EXPECT_EQ(moat_group_wait(group, NEVER, NULL), MOAT_OK);
        moat_group_close(group);
        while (moat_chan_recv(pair[1], &item, 0) == MOAT_OK)
            received++;
        moat_chan_destroy(pair[0]);
        moat_chan_destroy(pair[1]);
    }
    return arg;
}

static void a_close_meets_selects(const void *arg)
{
    (void)run_on_threads(closes_in_the_middle, arg);
    EXPECT_EQ(received, taken);
}

int main(void)
{
    static const char movers;
    static const struct child_case cases[] = {
        CHILD_CASE(a_timer_races_a_wake_up),
        {"a_timer_races_a_wake_up.movers", a_timer_races_a_wake_up, &movers,
         NULL, 0, 0},
        CHILD_CASE(new_tasks_are_taken_during_timed_waits),
        {"new_tasks_are_taken_during_timed_waits.movers",
         new_tasks_are_taken_during_timed_waits, &movers, NULL, 0, 0},
        CHILD_CASE(a_cancelled_sleeper_is_taken_over),
        {"a_cancelled_sleeper_is_taken_over.movers",
         a_cancelled_sleeper_is_taken_over, &movers, NULL, 0, 0},
        CHILD_CASE(two_tasks_want_each_others_queues),
        {"two_tasks_want_each_others_queues.movers",
         two_tasks_want_each_others_queues, &movers, NULL, 0, 0},
        CHILD_CASE(a_close_meets_selects),
        {"a_close_meets_selects.movers", a_close_meets_selects, &movers, NULL,
         0, 0},
    };

    return child_cases_run("sched.peers", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
