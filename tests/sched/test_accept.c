/*
 * test_accept.c: connections that belong to the tasks that are started for
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sched/sockets.h"
#include "sched/steps.h"

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    int before = open_descriptors();
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

/* ---- Servers ------------------------------------------------------------- */

static int fd_of(const void *arg)
{
    return (int)(intptr_t)arg;
}

/* The byte from the client decides how the task ends. */
static void *serves(void *arg)
{
    char what = '\0';

    EXPECT_EQ(moat_read(fd_of(arg), &what, 1, NEVER), 1);
    EXPECT_EQ(moat_write(fd_of(arg), &what, 1, NEVER), 1);
    switch (what) {
    case 'f':
        *(volatile int *)NULL = 1;
        break;
    case 'c':
        (void)moat_task_cancel(moat_task_self());
        break;
    case 's':
        (void)moat_sleep(3600000 * MS);
        break;
    default:
        break;
    }
    return arg;
}

static void spawn_at(int listener, moat_group *group, moat_task_fn fn)
{
    EXPECT_EQ(moat_accept_spawn(listener, group, fn, NULL, NEVER, NULL), 0);
}

static char ask_for(int fd, char what)
{
    char answer = '\0';

    EXPECT_EQ(moat_write(fd, &what, 1, NEVER), 1);
    EXPECT_EQ(moat_read(fd, &answer, 1, NEVER), 1);
    return answer;
}

static void expect_end(int fd)
{
    char byte;

    EXPECT_EQ(moat_read(fd, &byte, 1, NEVER), 0);
    EXPECT_EQ(moat_close(fd), 0);
}

static void *ends_in_each_way(void *arg)
{
    char port[8];
    int listener = listener_of(port);

    for (const char *what = "rfc"; *what != '\0'; what++) {
        int fd = dial(port);

        spawn_at(listener, NULL, serves);
        EXPECT_EQ(ask_for(fd, *what), *what);
        expect_end(fd);
    }
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void *is_cancelled(void *arg)
{
    moat_group *group = group_of(0);
    char port[8];
    int listener = listener_of(port), waits = dial(port), fresh, late;

    spawn_at(listener, group, serves);
    EXPECT_EQ(ask_for(waits, 's'), 's');
    fresh = dial(port);
    spawn_at(listener, group, serves); /* it has no turn yet */
    EXPECT_EQ(moat_group_cancel(group), MOAT_OK);
    expect_end(waits);
    expect_end(fresh);
    late = dial(port); /* accepted, and closed */
    EXPECT_ERRNO(moat_accept_spawn(listener, group, serves, NULL, NEVER, NULL),
                 ECANCELED);
    expect_end(late);
    moat_group_close(group);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void the_connection_ends_with_its_task(const void *arg)
{
    (void)arg;
    run_real(ends_in_each_way);
    run_real(is_cancelled);
}

/* ---- Closed before ------------------------------------------------------- */

static int reused[2];

/* Another descriptor gets the number. */
static void *closes_early(void *arg)
{
    EXPECT_EQ(moat_close(fd_of(arg)), 0);
    pair_of(reused);
    EXPECT(reused[0] == fd_of(arg) || reused[1] == fd_of(arg));
    return arg;
}

static void *closes_once(void *arg)
{
    char port[8], byte;
    int listener = listener_of(port), fd = dial(port);

    spawn_at(listener, NULL, closes_early);
    expect_end(fd);
    moat_task_yield(); /* the task has ended */
    EXPECT_EQ(moat_write(reused[0], "x", 1, NEVER), 1);
    EXPECT_EQ(moat_read(reused[1], &byte, 1, NEVER), 1);
    close_both(reused);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void a_task_may_close_it_before(const void *arg)
{
    (void)arg;
    run_real(closes_once);
}

/* ---- On several threads ---------------------------------------------------
 */

#define CLIENTS 200

static void *echoes_once(void *arg)
{
    char byte;

    EXPECT_EQ(moat_read(fd_of(arg), &byte, 1, NEVER), 1);
    EXPECT_EQ(moat_write(fd_of(arg), &byte, 1, NEVER), 1);
    return arg;
}

static void *asks_once(void *port)
{
    int fd = dial(port);

    EXPECT_EQ(ask_for(fd, 'x'), 'x');
    expect_end(fd);
    return port;
}

static void *serves_many(void *arg)
{
    moat_task *tasks[CLIENTS];
    char port[8];
    int listener = listener_of(port);

    for (int i = 0; i < CLIENTS; i++)
        tasks[i] = spawn(asks_once, port);
    for (int i = 0; i < CLIENTS; i++)
        spawn_at(listener, NULL, echoes_once);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void any_thread_may_take_the_task(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    int before = open_descriptors();

    (void)arg;
    options.threads = 3;
    EXPECT_EQ(moat_sched_run(&options, serves_many, NULL, NULL), MOAT_OK);
    expect_descriptors(before);
}

/* ---- Options, heritage, waits -------------------------------------------- */

static moat_local local;

static void *inherit(void *value)
{
    return value;
}

static void *uses_its_options(void *arg)
{
    moat_stack_info info;

    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    EXPECT(info.base - info.limit >= (size_t)1 << 20);
    EXPECT(moat_local_get(local) == &local);
    return arg;
}

static void *dials_later(void *port)
{
    (void)moat_sleep(MS);
    expect_end(dial(port));
    return port;
}

static void *has_options(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_local_options how = MOAT_LOCAL_OPTIONS_INIT;
    char port[8];
    int listener = listener_of(port);
    moat_task *client;

    how.inherit = inherit;
    REQUIRE(moat_local_create(&local, &how) == MOAT_OK);
    EXPECT_EQ(moat_local_set(local, &local), MOAT_OK);
    options.stack_bytes = (size_t)1 << 20;
    client = spawn(dials_later, port);
    EXPECT_EQ(moat_accept_spawn(listener, NULL, uses_its_options, &options,
                                NEVER, NULL),
              0); /* after a wait */
    EXPECT_EQ(join(client).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_local_delete(local), MOAT_OK);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void options_are_those_of_a_spawn(const void *arg)
{
    (void)arg;
    run_real(has_options);
}

/* ---- Failures ------------------------------------------------------------ */

static void *returns(void *arg)
{
    return arg;
}

static void *fails(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    unsigned char none[sizeof(void *) * 64] = {0};
    moat_group *wrong = (moat_group *)(void *)none;
    char port[8];
    int listener = listener_of(port);

    EXPECT_ERRNO(moat_accept_spawn(-1, NULL, returns, NULL, NEVER, NULL),
                 EBADF);
    EXPECT_ERRNO(moat_accept_spawn(listener, NULL, NULL, NULL, NEVER, NULL),
                 EINVAL);
    EXPECT_ERRNO(moat_accept_spawn(listener, wrong, returns, NULL, NEVER, NULL),
                 EINVAL);
    EXPECT_ERRNO(moat_accept_spawn(listener, NULL, returns, NULL, 0, NULL),
                 ETIMEDOUT);
    options.struct_size = 0;
    EXPECT_ERRNO(
        moat_accept_spawn(listener, NULL, returns, &options, NEVER, NULL),
        EINVAL);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

/* One descriptor is left, to refuse by. */
static void *refuses(void *arg)
{
    int spare[64], clients[2], count = 0;
    struct rlimit limit;
    uint64_t refused = 0;
    char port[8];
    int listener = listener_of(port);

    clients[0] = dial(port);
    clients[1] = dial(port);
    EXPECT_ERRNO(moat_read(clients[0], port, 1, moat_now() + 1), ETIMEDOUT);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)clients[1] + 20;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (count < 64 && (spare[count] = dup(0)) >= 0)
        count++;
    EXPECT_EQ(close(spare[--count]), 0);
    EXPECT_ERRNO(moat_accept_spawn(listener, NULL, returns, NULL, 0, &refused),
                 ETIMEDOUT);
    EXPECT_EQ(refused, 2);
    expect_end(clients[0]);
    expect_end(clients[1]);
    while (count-- > 0)
        EXPECT_EQ(close(spare[count]), 0);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void calls_may_fail(const void *arg)
{
    (void)arg;
    EXPECT_ERRNO(moat_accept_spawn(0, NULL, returns, NULL, 0, NULL), EPERM);
    run_real(fails);
    run_real(refuses);
}

/* ---- Stopped anywhere ---------------------------------------------------- */

static struct {
    int listener;
    char port[8];
} play;

static void *is_stepped(void *arg)
{
    begin_steps();
    (void)!moat_accept_spawn(play.listener, NULL, returns, NULL, NEVER, NULL);
    end_steps();
    return arg;
}

static void *plays(void *arg)
{
    moat_event_kind kind;
    moat_task *victim;
    int fd;

    steps = 0;
    stopped = false;
    play.listener = listener_of(play.port);
    fd = dial(play.port);
    victim = spawn(is_stepped, NULL);
    kind = join(victim).kind;
    EXPECT_EQ(kind, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    stepped = NULL;
    EXPECT_EQ(moat_close(play.listener), 0);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

/* Nothing is left, wherever it was. */
static void try_one(void)
{
    int before = open_descriptors();
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.trapped, stopped);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

static void a_stop_leaks_no_connection(const void *arg)
{
    long count, stops = 0;

    (void)arg;
    prepare_steps();
    (void)run(plays); /* what is opened once */
    stop_at = 0;
    try_one();
    count = steps;
    EXPECT(count > 50);
    for (stop_at = 1; stop_at < count; stop_at++) {
        expect_context("stopped at %ld of %ld", stop_at, count);
        try_one();
        stops += stopped;
    }
    EXPECT(stops > count / 2);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_connection_ends_with_its_task),
        CHILD_CASE(a_task_may_close_it_before),
        CHILD_CASE(any_thread_may_take_the_task),
        CHILD_CASE(options_are_those_of_a_spawn),
        CHILD_CASE(calls_may_fail),
        {"a_stop_leaks_no_connection", a_stop_leaks_no_connection, NULL,
         NEEDS_STEPS, 0, 0},
    };

    return child_cases_run("sched.accept", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
