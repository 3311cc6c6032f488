/*
 * test_drive.c: runs that the host's own loop drives.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "sched/sockets.h"

/* ---- A loop -------------------------------------------------------------- */

static moat_sched *sched;

static void open_with(const moat_sched_options *options)
{
    REQUIRE(moat_sched_open(options, &sched) == MOAT_OK);
}

static void open_quietly(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.report_fd = -1;
    open_with(&options);
}

static uint64_t go_round(void)
{
    uint64_t next = 1;

    EXPECT_EQ(moat_sched_round(sched, &next), MOAT_OK);
    return next;
}

/* Returns whether the run's descriptor can be read. */
static bool can_be_read(int ms)
{
    struct pollfd fds = {.fd = moat_sched_fd(sched), .events = POLLIN};

    return poll(&fds, 1, ms) == 1;
}

static int ms_until(uint64_t next)
{
    uint64_t now = moat_now();

    if (next == NEVER)
        return -1;
    return next <= now ? 0 : (int)((next - now + MS - 1) / MS);
}

/* The loop that <moat/drive.h> shows. */
static void loop(void)
{
    uint64_t next = go_round();

    while (moat_sched_live(sched) != 0) {
        (void)can_be_read(ms_until(next));
        next = go_round();
    }
}

static struct end {
    int count;
    void *arg;
    moat_result result;
} last;

static void note_end(void *arg, const moat_result *result)
{
    last.count++;
    last.arg = arg;
    last.result = *result;
}

static moat_task *start(moat_task_fn fn, void *arg)
{
    moat_task *task = NULL;

    REQUIRE(moat_sched_spawn(sched, fn, arg, NULL, note_end, &task) == MOAT_OK);
    return task;
}

static void close_it(void)
{
    EXPECT_EQ(moat_sched_close(sched), MOAT_OK);
    sched = NULL;
}

/* ---- Tasks --------------------------------------------------------------- */

static void *returns(void *arg)
{
    return arg;
}

static void *yields_forever(void *arg)
{
    while (++*(int *)arg > 0)
        moat_task_yield();
    return arg;
}

static void *sleeps(void *arg)
{
    EXPECT_EQ(moat_sleep((uint64_t)(uintptr_t)arg), MOAT_OK);
    return arg;
}

static void *sleeps_long(void *arg)
{
    (void)moat_sleep(3600000 * MS);
    return arg;
}

static void *receives(void *arg)
{
    return (void *)(uintptr_t)recv_number(arg);
}

static void *faults(void *arg)
{
    *(volatile int *)NULL = 1;
    return arg;
}

static int overflow(volatile int depth)
{
    return depth == 0 ? 0 : overflow(depth + 1) + depth;
}

static void *overflows(void *arg)
{
    (void)overflow(1);
    return arg;
}

/* ---- Ends ---------------------------------------------------------------- */

static void the_end_of_a_task_is_told(const void *arg)
{
    int number = 0;

    (void)arg;
    open_quietly();
    (void)start(returns, &number);
    EXPECT_EQ(last.count, 0); /* not before a round */
    EXPECT_EQ(moat_sched_live(sched), 1);
    EXPECT_EQ(go_round(), NEVER);
    EXPECT_EQ(last.count, 1);
    EXPECT(last.arg == &number);
    EXPECT_EQ(last.result.kind, MOAT_EVENT_RETURN);
    EXPECT(last.result.value == &number);
    EXPECT_EQ(moat_sched_live(sched), 0);
    close_it();
    EXPECT_EQ(last.count, 1);
}

static void a_crash_is_an_end_like_others(const void *arg)
{
    (void)arg;
    open_quietly();
    (void)start(faults, NULL);
    loop();
    EXPECT_EQ(last.result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(last.result.trap.kind, MOAT_TRAP_NULL);
    (void)start(overflows, NULL);
    loop();
    EXPECT_EQ(last.result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(last.result.trap.kind, MOAT_TRAP_STACK_OVERFLOW);
    (void)start(returns, NULL);
    loop();
    EXPECT_EQ(last.result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(last.count, 3);
    close_it();
}

static void a_handle_can_be_cancelled(const void *arg)
{
    moat_task *task;

    (void)arg;
    open_quietly();
    task = start(returns, NULL); /* before its first turn */
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    loop();
    EXPECT_EQ(last.result.kind, MOAT_EVENT_CANCELLED);
    task = start(sleeps_long, NULL); /* while it waits */
    EXPECT(go_round() != NEVER);
    EXPECT_EQ(moat_task_join(task, 0, NULL), MOAT_E_STATE);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    loop();
    EXPECT_EQ(last.result.kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(last.count, 2);
    close_it();
}

static int chain_left;

static void spawns_the_next(void *arg, const moat_result *result)
{
    EXPECT_EQ(result->kind, MOAT_EVENT_RETURN);
    if (--chain_left != 0)
        EXPECT_EQ(
            moat_sched_spawn(sched, returns, arg, NULL, spawns_the_next, NULL),
            MOAT_OK);
}

static void an_end_may_spawn(const void *arg)
{
    (void)arg;
    open_quietly();
    chain_left = 5;
    EXPECT_EQ(
        moat_sched_spawn(sched, returns, NULL, NULL, spawns_the_next, NULL),
        MOAT_OK);
    EXPECT_EQ(go_round(), 0); /* the second one can run */
    loop();
    EXPECT_EQ(chain_left, 0);
    close_it();
}

/* ---- What wakes the loop ------------------------------------------------- */

static void the_host_wakes_tasks(const void *arg)
{
    uint64_t number = 7;
    moat_chan *chan;

    (void)arg;
    open_quietly();
    chan = chan_of(sizeof number, 0);
    (void)start(receives, chan);
    EXPECT(can_be_read(0)); /* it was spawned */
    EXPECT_EQ(go_round(), NEVER);
    EXPECT(!can_be_read(0));
    EXPECT_EQ(moat_chan_send(chan, &number, 0), MOAT_OK);
    EXPECT(can_be_read(0));
    EXPECT_EQ(go_round(), NEVER);
    EXPECT_EQ((uintptr_t)last.result.value, 7);
    EXPECT(!can_be_read(0));
    EXPECT_EQ(moat_chan_send(chan, &number, NEVER), MOAT_E_STATE);
    moat_chan_destroy(chan);
    close_it();
}

static void *wakes_waker(void *waker)
{
    (void)usleep(2000);
    moat_waker_wake(waker);
    return NULL;
}

static void *waits_for_waker(void *arg)
{
    EXPECT_EQ(moat_waker_wait(arg, NEVER), MOAT_OK);
    return arg;
}

static void another_thread_wakes_the_loop(const void *arg)
{
    moat_waker *waker = NULL;
    pthread_t thread;

    (void)arg;
    open_quietly();
    REQUIRE(moat_waker_create(&waker) == MOAT_OK);
    (void)start(waits_for_waker, waker);
    EXPECT_EQ(go_round(), NEVER);
    REQUIRE(pthread_create(&thread, NULL, wakes_waker, waker) == 0);
    EXPECT(can_be_read(-1));
    loop();
    EXPECT_EQ(last.count, 1);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    moat_waker_destroy(waker);
    close_it();
}

static void *reads_a_byte(void *arg)
{
    char byte = 0;

    EXPECT_EQ(moat_read(*(const int *)arg, &byte, 1, NEVER), 1);
    return (void *)(uintptr_t)byte;
}

static void descriptors_wake_the_loop(const void *arg)
{
    int fds[2];

    (void)arg;
    pipe_of(fds);
    open_quietly();
    (void)start(reads_a_byte, &fds[0]);
    while (go_round() == 0) /* a new descriptor has an edge to write */
        ;
    EXPECT(!can_be_read(0));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT(can_be_read(-1));
    loop();
    EXPECT_EQ((uintptr_t)last.result.value, 'x');
    EXPECT_EQ(moat_close(fds[0]), 0);
    EXPECT_EQ(moat_close(fds[1]), 0);
    close_it();
}

static void *accepts_one(void *arg)
{
    int fd = moat_accept(*(const int *)arg, NEVER);

    EXPECT(fd >= 0);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

static void *dials_it(void *port)
{
    int fd = dial(port);
    char byte;

    EXPECT_EQ(moat_read(fd, &byte, 1, NEVER), 0);
    EXPECT_EQ(moat_close(fd), 0);
    return port;
}

/* A socket that the host has made. */
static void the_host_may_listen(const void *arg)
{
    char port[8];
    int listener, before = open_descriptors();

    (void)arg;
    open_quietly();
    listener = listener_of(port);
    (void)start(accepts_one, &listener);
    (void)start(dials_it, port);
    loop();
    EXPECT_EQ(last.count, 2);
    EXPECT_EQ(last.result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(listener), 0);
    close_it();
    expect_descriptors(before);
}

static void deadlines_are_told(const void *arg)
{
    uint64_t before = moat_now(), next;

    (void)arg;
    open_quietly();
    (void)start(sleeps, (void *)(uintptr_t)(5 * MS));
    (void)start(sleeps, (void *)(uintptr_t)(3600000 * MS));
    next = go_round();
    EXPECT(next >= before + 5 * MS && next < before + 3600000 * MS);
    do
        (void)can_be_read(ms_until(next));
    while (go_round() < before + 3600000 * MS);
    EXPECT_EQ(last.count, 1);
    EXPECT(moat_now() >= before + 5 * MS);
    EXPECT(go_round() >= before + 3600000 * MS);
    close_it();
    EXPECT_EQ(last.count, 2);
    EXPECT_EQ(last.result.kind, MOAT_EVENT_CANCELLED);
}

static void a_round_ends_though_tasks_can_run(const void *arg)
{
    int turns[2] = {0, 0};

    (void)arg;
    open_quietly();
    (void)start(yields_forever, &turns[0]);
    (void)start(yields_forever, &turns[1]);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(go_round(), 0);
    EXPECT(turns[0] + turns[1] <= 610);
    EXPECT(turns[0] > 100 && turns[1] > 100);
    close_it();
    EXPECT_EQ(last.count, 2);
    EXPECT_EQ(last.result.kind, MOAT_EVENT_CANCELLED);
}

/* ---- Close --------------------------------------------------------------- */

static void spawns_in_vain(void *arg, const moat_result *result)
{
    EXPECT_EQ(result->kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_sched_spawn(sched, returns, arg, NULL, note_end, NULL),
              MOAT_E_CANCELLED);
    EXPECT_EQ(moat_sched_close(sched), MOAT_E_STATE);
    last.count++;
}

static void *has_members(void *arg)
{
    moat_group *group = group_of(0);

    (void)spawn_in(group, sleeps_long, NULL);
    (void)spawn_in(group, yields_forever, arg);
    (void)!moat_group_wait(group, NEVER, NULL);
    return arg;
}

static void a_close_ends_all_tasks(const void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_YIELD};
    int turns = 0, before = open_descriptors();

    (void)arg;
    options.stats = &stats;
    options.report_fd = -1;
    open_with(&options);
    EXPECT_EQ(moat_sched_spawn(sched, has_members, &turns, NULL, spawns_in_vain,
                               NULL),
              MOAT_OK);
    (void)start(sleeps_long, NULL);
    EXPECT_EQ(moat_sched_spawn(sched, sleeps_long, NULL, NULL, NULL, NULL),
              MOAT_OK);
    EXPECT_EQ(go_round(), 0);
    (void)start(returns, NULL); /* not started */
    close_it();
    EXPECT_EQ(last.count, 3);
    EXPECT_EQ(stats.spawned, 6);
    EXPECT_EQ(stats.cancelled, 6);
    EXPECT_EQ(stats.live, 0);
    EXPECT_EQ(open_descriptors(), before);
    /* The thread may have another run. */
    EXPECT_EQ(moat_sched_run(NULL, returns, NULL, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
}

/* ---- What others see ----------------------------------------------------- */

static void a_monitor_sees_the_run(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    char text[4096] = "";
    int fds[2];

    (void)arg;
    REQUIRE(moat_monitor_create(&options.monitor) == MOAT_OK);
    options.measure_times = true;
    options.dump_signal = SIGUSR1;
    pipe_of(fds);
    options.trace_fd = fds[1];
    open_with(&options);
    (void)start(returns, NULL);
    loop();
    EXPECT_EQ(moat_monitor_stats(options.monitor, MOAT_ALL_THREADS, &stats),
              MOAT_OK);
    EXPECT_EQ(stats.returned, 1);
    close_it(); /* writes the trace */
    EXPECT(read(fds[0], text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "traceEvents") != NULL);
    EXPECT_EQ(close(fds[0]), 0);
    EXPECT_EQ(close(fds[1]), 0);
    moat_monitor_destroy(options.monitor);
}

struct dumper {
    moat_monitor *monitor;
    int fds[2];
    moat_status status;
    atomic_bool done;
};

static void *dumps(void *arg)
{
    struct dumper *dumper = arg;

    dumper->status = moat_monitor_dump(dumper->monitor, dumper->fds[1], false);
    atomic_store(&dumper->done, true);
    return NULL;
}

/* While the loop has nothing to do. */
static void another_thread_dumps_the_run(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    struct dumper dumper = {.status = MOAT_E_INVAL};
    char text[4096] = "";
    pthread_t thread;

    (void)arg;
    pipe_of(dumper.fds);
    REQUIRE(moat_monitor_create(&dumper.monitor) == MOAT_OK);
    options.monitor = dumper.monitor;
    options.report_fd = -1;
    open_with(&options);
    (void)start(sleeps_long, NULL);
    EXPECT(go_round() != 0);
    EXPECT(!can_be_read(0));
    REQUIRE(pthread_create(&thread, NULL, dumps, &dumper) == 0);
    while (!atomic_load(&dumper.done)) {
        (void)can_be_read(10);
        (void)go_round();
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(dumper.status, MOAT_OK);
    EXPECT(read(dumper.fds[0], text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "sleeps") != NULL);
    close_it();
    moat_monitor_destroy(dumper.monitor);
    (void)close(dumper.fds[0]);
    (void)close(dumper.fds[1]);
}

/* ---- Refusals ------------------------------------------------------------ */

static void expect_refused(moat_status status, const char *why)
{
    EXPECT_EQ(status, MOAT_E_INVAL);
    EXPECT_STR(moat_error_detail(), why);
}

static void bad_arguments_are_refused(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_task *task;
    uint64_t next;

    (void)arg;
    expect_refused(moat_sched_open(NULL, NULL), "MOAT_E_INVAL: out is NULL");
    options.threads = 2;
    expect_refused(moat_sched_open(&options, &sched),
                   "MOAT_E_INVAL: options->threads is 2: a run that its host "
                   "drives has one");
    options.threads = 1;
    options.clock = MOAT_CLOCK_TEST;
    expect_refused(moat_sched_open(&options, &sched),
                   "MOAT_E_INVAL: options->clock is MOAT_CLOCK_TEST: a run "
                   "that its host drives has the clock of the host's loop");
    options.clock = (moat_clock)7;
    expect_refused(moat_sched_open(&options, &sched),
                   "MOAT_E_INVAL: options->clock is 7: no moat_clock");
    EXPECT(sched == NULL);
    open_quietly();
    expect_refused(moat_sched_round(NULL, &next),
                   "MOAT_E_INVAL: sched is NULL");
    expect_refused(moat_sched_round(sched, NULL), "MOAT_E_INVAL: next is NULL");
    expect_refused(moat_sched_spawn(NULL, returns, NULL, NULL, NULL, NULL),
                   "MOAT_E_INVAL: sched is NULL");
    expect_refused(moat_sched_spawn(sched, NULL, NULL, NULL, NULL, NULL),
                   "MOAT_E_INVAL: fn is NULL");
    expect_refused(moat_sched_spawn(sched, returns, NULL, NULL, NULL, &task),
                   "MOAT_E_INVAL: out is set, and ended is NULL: the handle's "
                   "end would not be known");
    close_it();
    EXPECT_EQ(moat_sched_close(NULL), MOAT_OK);
    EXPECT_EQ(moat_sched_fd(NULL), -1);
    EXPECT_EQ(moat_sched_live(NULL), 0);
}

static void expect_state(void)
{
    moat_sched *other = NULL;
    uint64_t next;

    EXPECT_EQ(moat_sched_round(sched, &next), MOAT_E_STATE);
    EXPECT_EQ(moat_sched_close(sched), MOAT_E_STATE);
    EXPECT_EQ(moat_sched_spawn(sched, returns, NULL, NULL, NULL, NULL),
              MOAT_E_STATE);
    if (moat_task_self() != NULL || moat_co_current() != NULL)
        EXPECT_EQ(moat_sched_open(NULL, &other), MOAT_E_STATE);
}

static void *in_host_call(void *arg)
{
    expect_state();
    return arg;
}

static void *tries_all(void *arg)
{
    expect_state();
    (void)moat_call_on_parent(moat_co_current(), in_host_call, NULL);
    return arg;
}

static void *tries_from_outside(void *arg)
{
    expect_state();
    return arg;
}

static void goes_round_in_an_end(void *arg, const moat_result *result)
{
    uint64_t next;

    (void)arg;
    EXPECT_EQ(result->kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_sched_round(sched, &next), MOAT_E_STATE);
    EXPECT_EQ(moat_sched_close(sched), MOAT_E_STATE);
    last.count++;
}

static void wrong_callers_are_refused(const void *arg)
{
    moat_sched *other = NULL;
    pthread_t thread;

    (void)arg;
    open_quietly();
    EXPECT_EQ(moat_sched_open(NULL, &other), MOAT_E_STATE);
    EXPECT_EQ(moat_sched_run(NULL, returns, NULL, NULL), MOAT_E_STATE);
    REQUIRE(pthread_create(&thread, NULL, tries_from_outside, NULL) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(moat_sched_spawn(sched, tries_all, NULL, NULL,
                               goes_round_in_an_end, NULL),
              MOAT_OK);
    loop();
    EXPECT_EQ(last.count, 1);
    close_it();
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_end_of_a_task_is_told),
        CHILD_CASE(a_crash_is_an_end_like_others),
        CHILD_CASE(a_handle_can_be_cancelled),
        CHILD_CASE(an_end_may_spawn),
        CHILD_CASE(the_host_wakes_tasks),
        CHILD_CASE(another_thread_wakes_the_loop),
        CHILD_CASE(descriptors_wake_the_loop),
        CHILD_CASE(the_host_may_listen),
        CHILD_CASE(deadlines_are_told),
        CHILD_CASE(a_round_ends_though_tasks_can_run),
        CHILD_CASE(a_close_ends_all_tasks),
        CHILD_CASE(a_monitor_sees_the_run),
        CHILD_CASE(another_thread_dumps_the_run),
        CHILD_CASE(bad_arguments_are_refused),
        CHILD_CASE(wrong_callers_are_refused),
    };

    return child_cases_run("sched.drive", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
