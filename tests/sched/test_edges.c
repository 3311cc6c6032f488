/*
 * test_edges.c: what a program seldom does to tasks, and may all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include "sched/locks.h"

/* ---- Groups ---- */

static moat_group *of_the_dead;

static void cancels_its_group(void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_group_cancel(of_the_dead), MOAT_OK);
}

static void *faults_with_a_group(void *arg)
{
    of_the_dead = group_of(0);
    EXPECT_EQ(moat_co_defer(moat_co_current(), cancels_its_group, NULL),
              MOAT_OK);
    *nowhere = 1;
    return arg;
}

static void *buries(void *arg)
{
    EXPECT_EQ(join(spawn(faults_with_a_group, NULL)).kind, MOAT_EVENT_TRAP);
    return arg;
}

static void a_deferred_function_finds_its_group(const void *arg)
{
    (void)arg;
    (void)run(buries);
}

/* ---- Locks ---- */

static moat_rwlock lock;

static void *writes_impatiently(void *arg)
{
    EXPECT_EQ(moat_rwlock_write_lock(&lock, moat_now() + MS), MOAT_E_TIMEOUT);
    return arg;
}

static void *writes(void *arg)
{
    EXPECT_EQ(moat_rwlock_write_lock(&lock, NEVER), MOAT_OK);
    return arg;
}

static void *reads(void *arg)
{
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_OK);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    return arg;
}

static void *reads_beside_writers(void *arg)
{
    moat_task *writer, *reader;

    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    EXPECT_EQ(moat_rwlock_read_lock(&lock, NEVER), MOAT_OK);
    writer = spawn(writes_impatiently, NULL);
    let_run();
    reader = spawn(reads, NULL);
    EXPECT_EQ(join(writer).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_task_join(reader, moat_now() + 10 * MS, NULL), MOAT_OK);

    writer = spawn(writes, NULL);
    let_run();
    reader = spawn(reads, NULL);
    let_run();
    EXPECT_EQ(moat_task_cancel(writer), MOAT_OK);
    EXPECT_EQ(moat_task_join(reader, moat_now() + 10 * MS, NULL), MOAT_OK);
    EXPECT_EQ(join(writer).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_rwlock_unlock(&lock), MOAT_OK);
    moat_rwlock_destroy(&lock);
    return arg;
}

static void a_writer_that_leaves_lets_the_readers_in(const void *arg)
{
    (void)arg;
    (void)run(reads_beside_writers);
}

/* ---- Sizes ---- */

static void *selects_the_largest(void *arg)
{
    moat_chan *chan = NULL;
    moat_select_case cases[2];
    char item = 0;

    EXPECT_EQ(moat_chan_create(&chan, SIZE_MAX, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_create(&chan, SIZE_MAX / 2 + 1, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_chan_create(&chan, (size_t)1 << 47, 0), MOAT_OK);
    for (int i = 0; i < 2; i++)
        cases[i] = (moat_select_case){chan, true, &item};
    /* A sanitizer's malloc ends the process. */
    if (!UNDER_ASAN && !UNDER_TSAN) {
        EXPECT_EQ(moat_select(cases, 2, 0, NULL), MOAT_E_NOMEM);
        EXPECT_EQ(moat_chan_send(chan, &item, 0), MOAT_E_NOMEM);
    }
    moat_chan_destroy(chan);
    return arg;
}

static void the_sizes_of_items_do_not_wrap(const void *arg)
{
    (void)arg;
    (void)run(selects_the_largest);
}

/* ---- One select with both ends ---- */

static void *selects_both(void *arg)
{
    moat_chan *chan = arg;
    uint64_t out = 1, in = 0;
    size_t chosen = 9;
    moat_select_case cases[] = {{chan, true, &out},
                                {chan, false, &in},
                                {NULL, false, NULL},
                                {chan, false, &in},
                                {chan, true, &out}};

    EXPECT_EQ(moat_select(cases, 5, NEVER, &chosen), MOAT_OK);
    return (void *)(uintptr_t)(chosen == 1 || chosen == 3);
}

static void *has_both_ends(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *tasks[2];
    int received = 0;

    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(selects_both, chan);
    for (int i = 0; i < 2; i++)
        received += join(tasks[i]).value != NULL;
    EXPECT_EQ(received, 1);
    moat_chan_destroy(chan);
    return arg;
}

static void two_selects_with_both_ends_meet(const void *arg)
{
    (void)arg;
    (void)run(has_both_ends);
}

/* ---- Dumps ---- */

static void *selects_for_ever(void *arg)
{
    moat_select_case one = {arg, false, NULL};

    (void)!moat_select(&one, 1, NEVER, NULL);
    return arg;
}

static void *dumps(void *arg)
{
    moat_chan *chan = chan_of(0, 0);
    int fd = dup(STDERR_FILENO);

    (void)spawn(selects_for_ever, chan);
    let_run();
    EXPECT_EQ(moat_dump_tasks(fd), MOAT_OK);
    EXPECT_EQ(moat_dump_tasks_json(fd), MOAT_OK);
    moat_chan_close(chan);
    close(fd);
    return arg;
}

static void a_dump_reads_only_what_is_a_task(const void *arg)
{
    (void)arg;
    (void)run(dumps);
}

/* ---- The end of a turn ----------------------------------------------------
 * Some calls that need not wait end it: others run then, inside the call. */

#define LARGE 100

static moat_chan *large;
static bool begun, returned;

static void *ends_what_has_begun(void *arg)
{
    while (!begun)
        moat_task_yield();
    if (arg != NULL)
        EXPECT_EQ(moat_task_cancel(arg), MOAT_OK);
    else
        moat_chan_destroy(large);
    return NULL;
}

static void call(uintptr_t times)
{
    for (uintptr_t i = 0; i < times; i++)
        EXPECT(moat_rwlock_unlock(&lock) == MOAT_E_STATE);
    begun = true;
}

static void *sends_after_calls(void *arg)
{
    char item[LARGE] = "";

    call((uintptr_t)arg);
    EXPECT_EQ(moat_chan_send(large, item, NEVER), MOAT_E_CLOSED);
    return NULL;
}

static void *locks_after_calls(void *arg)
{
    call((uintptr_t)arg);
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_E_OWNER_DIED);
    returned = true;
    EXPECT_EQ(moat_mutex_unlock(&mutex), MOAT_OK);
    return NULL;
}

static void *dies_with_the_mutex(void *arg)
{
    EXPECT_EQ(moat_mutex_lock(&mutex, NEVER), MOAT_OK);
    return arg;
}

static void *ends_turns(void *arg)
{
    EXPECT_EQ(moat_rwlock_init(&lock), MOAT_OK);
    for (uintptr_t calls = 50; calls < 80; calls++) {
        moat_task *task, *other;

        expect_context("after %zu calls", (size_t)calls);
        begun = returned = false;
        large = chan_of(LARGE, 0);
        other = spawn(ends_what_has_begun, NULL);
        task = spawn(sends_after_calls, (void *)calls);
        (void)join(task);
        (void)join(other);
        begun = false;
        (void)join(spawn(dies_with_the_mutex, NULL));
        task = spawn(locks_after_calls, (void *)calls);
        other = spawn(ends_what_has_begun, task);
        (void)join(
            other); /* an ended task may be cancelled, not a joined one */
        (void)join(task);
        EXPECT(returned);
    }
    moat_rwlock_destroy(&lock);
    return arg;
}

static void the_end_of_a_turn_is_not_seen(const void *arg)
{
    (void)arg;
    in_a_task(ends_turns);
}

/* ---- Limits ---- */

static void *reads_often(void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    for (int i = 0; i < 5000; i++)
        EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    return arg;
}

/* Whether a reader is stopped depends on the machine. The run goes on. */
static void *stops_readers(void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;

    limits.wall_ns = MS / 20;
    options.limits = &limits;
    for (int i = 0; i < 20; i++) {
        moat_task *task;

        REQUIRE(moat_task_spawn(NULL, reads_often, NULL, &options, &task) ==
                MOAT_OK);
        (void)join(task);
    }
    return arg;
}

static void a_task_is_stopped_without_the_lock_of_the_run(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    (void)arg;
    options.threads = 2;
    EXPECT_EQ(moat_sched_run(&options, stops_readers, NULL, NULL), MOAT_OK);
}

/* ---- Names ---- */

#define E_ACUTE "\xc3\xa9"

static void *names(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    char text[4096] = "";
    int ends[2];

    /* An odd number of bytes is kept. */
    options.name = E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE
        E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE "\xe2\x82\xac";
    REQUIRE(pipe(ends) == 0);
    EXPECT_EQ(moat_task_spawn(NULL, ends_what_has_begun, NULL, &options, NULL),
              MOAT_OK);
    EXPECT_EQ(moat_dump_tasks_json(ends[1]), MOAT_OK);
    EXPECT(read(ends[0], text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "\"" E_ACUTE E_ACUTE) != NULL);
    EXPECT(strstr(text, E_ACUTE "\\ufffd\"") != NULL);
    large = NULL;
    begun = true;
    return arg;
}

static void json_is_utf_8_whatever_the_names(const void *arg)
{
    (void)arg;
    (void)run(names);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_deferred_function_finds_its_group),
        CHILD_CASE(a_writer_that_leaves_lets_the_readers_in),
        CHILD_CASE(the_sizes_of_items_do_not_wrap),
        CHILD_CASE(two_selects_with_both_ends_meet),
        CHILD_CASE(a_dump_reads_only_what_is_a_task),
        CHILD_CASE(the_end_of_a_turn_is_not_seen),
        CHILD_CASE(a_task_is_stopped_without_the_lock_of_the_run),
        CHILD_CASE(json_is_utf_8_whatever_the_names),
    };

    return child_cases_run("sched.edges", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
