/*
 * test_seen.c: a run as other threads and signals see it: counters, monitors,
 * dumps from outside, a signal that asks for one.
 *
 *   sched_seen prometheus      prints a monitor's text
 *   sched_seen trace NAME      prints the trace of a run: see `traces`
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/scene.h"

static int *volatile nowhere;
static char text[1 << 20];

static moat_monitor *monitor_of(void)
{
    moat_monitor *monitor = NULL;

    REQUIRE(moat_monitor_create(&monitor) == MOAT_OK);
    return monitor;
}

static moat_sched_stats stats_of(const moat_monitor *monitor, unsigned thread)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    EXPECT_EQ(moat_monitor_stats(monitor, thread, &stats), MOAT_OK);
    return stats;
}

/* ---- Counters ----------------------------------------------------------- */

__attribute__((no_sanitize("undefined"))) static void *crashes(void *arg)
{
    *nowhere = 1;
    return arg;
}

static void *aborts(void *arg)
{
    (void)arg;
    abort();
}

/* ThreadSanitizer delays the signal of a limit. */
static void *loops(void *arg)
{
#if UNDER_TSAN
    moat_trap_raise_as(MOAT_TRAP_DEADLINE, 0);
#endif
    for (volatile int *forever = arg; *forever;)
        ;
    return NULL;
}

static void *sleeps(void *arg)
{
    EXPECT_EQ(moat_sleep((uint64_t)(uintptr_t)arg), MOAT_OK);
    return NULL;
}

static void *ends_in_each_way(void *arg)
{
    static int forever = 1;
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task *task = NULL;

    limits.wall_ns = 20 * MS;
    options.limits = &limits;
    (void)join(spawn(crashes, NULL));
    (void)join(spawn(crashes, NULL));
    (void)join(spawn(aborts, NULL));
    EXPECT_EQ(moat_task_spawn(NULL, loops, &forever, &options, &task), MOAT_OK);
    (void)join(task);
    task = spawn(sleeps, (void *)(1000 * MS));
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    (void)join(task);
    return arg;
}

static void each_end_is_counted(const void *arg)
{
    moat_sched_stats stats = run(ends_in_each_way);

    (void)arg;
    EXPECT_EQ(stats.trapped, 4);
    EXPECT_EQ(stats.traps[MOAT_TRAP_NULL], 2);
    EXPECT_EQ(stats.traps[MOAT_TRAP_ABORT], 1);
    EXPECT_EQ(stats.traps[MOAT_TRAP_DEADLINE], 1);
    EXPECT_EQ(stats.cancelled, 1);
    EXPECT_EQ(stats.not_run, 0);
    EXPECT_EQ(stats.returned, 1);
    EXPECT_EQ(stats.delay_count, 0);
    EXPECT_EQ(stats.longest_run_ns, 0);
}

/* The counters of a run of one thread, whose figures are known. */
static void *counts_what_waits(void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_task *tasks[5];

    for (size_t i = 0; i < 5; i++)
        tasks[i] = spawn(sleeps, (void *)(1000 * MS));
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    EXPECT_EQ(stats.ready + stats.fresh, 5);
    EXPECT_EQ(stats.timers, 0);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    EXPECT_EQ(stats.ready + stats.fresh, 0);
    EXPECT_EQ(stats.timers, 5);
    EXPECT_EQ(stats.timeouts, 1);
    EXPECT_EQ(stats.live, 6);
    EXPECT_EQ(moat_task_cancel(tasks[0]), MOAT_OK);
    for (size_t i = 0; i < 5; i++)
        (void)join(tasks[i]);
    EXPECT_EQ(moat_sched_get_stats(&stats), MOAT_OK);
    EXPECT_EQ(stats.timers, 0);
    EXPECT_EQ(stats.timeouts, 5);
    return arg;
}

static void queues_and_timers_are_counted(const void *arg)
{
    (void)arg;
    (void)run(counts_what_waits);
}

static moat_waker *waker;

static void *wakes(void *arg)
{
    moat_waker_wake(waker);
    return arg;
}

static void *is_woken(void *arg)
{
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        REQUIRE(pthread_create(&thread, NULL, wakes, NULL) == 0);
        EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_OK);
        REQUIRE(pthread_join(thread, NULL) == 0);
    }
    return arg;
}

static void wakes_from_outside_are_counted(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    REQUIRE(moat_waker_create(&waker) == MOAT_OK);
    stats = run_with(MOAT_CLOCK_REAL, is_woken, NULL, NULL);
    /* A wake that came before the wait did not end one. */
    EXPECT(stats.outside_wakes <= 3);
    moat_waker_destroy(waker);
}

/* ---- Times -------------------------------------------------------------- */

static void *works(void *arg)
{
    uint64_t end = moat_now() + 5 * MS;

    while (moat_now() < end)
        ;
    return arg;
}

static void *lets_one_work(void *arg)
{
    moat_task *late = spawn(works, NULL);

    (void)works(NULL);
    (void)join(late);
    return arg;
}

static uint64_t sum_of(const uint64_t *delays)
{
    uint64_t sum = 0;

    for (int i = 0; i < MOAT_SCHED_DELAYS; i++)
        sum += delays[i];
    return sum;
}

static void times_are_measured_if_asked(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    (void)arg;
    options.measure_times = true;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, lets_one_work, NULL, NULL), MOAT_OK);
    EXPECT(stats.longest_run_ns >= 5 * MS);
    /* First turns of both, and that after the join. */
    EXPECT(stats.delay_count >= 3);
    EXPECT_EQ(stats.delay_count, sum_of(stats.delays));
    /* The one that was spawned had to wait until the first had worked. */
    EXPECT(stats.delay_ns >= 5 * MS);
    EXPECT(stats.delays[4] + stats.delays[5] + stats.delays[6] +
               stats.delays[7] >=
           1);
}

/* ---- Monitors ----------------------------------------------------------- */

static moat_monitor *watched;
static _Atomic bool enough;

static void *reads_all_the_time(void *arg)
{
    uint64_t reads = 0;

    while (!atomic_load(&enough)) {
        moat_sched_stats stats = stats_of(watched, MOAT_ALL_THREADS);

        EXPECT(stats.live <= stats.spawned && stats.spawned <= 501);
        (void)moat_monitor_prometheus(watched, text, sizeof text);
        reads++;
    }
    EXPECT(reads > 0);
    return arg;
}

static void *spawns_many(void *arg)
{
    for (int i = 0; i < 500; i++) {
        moat_task *task = spawn(sleeps, (void *)1);

        if (i % 10 == 0)
            moat_task_yield();
        (void)join(task);
    }
    return arg;
}

static void a_monitor_is_read_while_a_run_runs(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT, all;
    uint64_t spawned = 0, switches = 0;
    pthread_t thread;

    (void)arg;
    watched = monitor_of();
    options.threads = 3;
    options.monitor = watched;
    options.stats = &stats;
    REQUIRE(pthread_create(&thread, NULL, reads_all_the_time, NULL) == 0);
    EXPECT_EQ(moat_sched_run(&options, spawns_many, NULL, NULL), MOAT_OK);
    /* Again, with fewer threads and with more. */
    options.threads = 1;
    EXPECT_EQ(moat_sched_run(&options, spawns_many, NULL, NULL), MOAT_OK);
    EXPECT_EQ(moat_monitor_threads(watched), 1);
    options.threads = 5;
    EXPECT_EQ(moat_sched_run(&options, spawns_many, NULL, NULL), MOAT_OK);
    atomic_store(&enough, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
    all = stats_of(watched, MOAT_ALL_THREADS);
    EXPECT_EQ(all.spawned, 501);
    EXPECT_EQ(all.returned, 501);
    EXPECT_EQ(all.live, 0);
    EXPECT_EQ(all.switches, stats.switches);
    for (unsigned i = 0; i < 5; i++) {
        spawned += stats_of(watched, i).spawned;
        switches += stats_of(watched, i).switches;
    }
    EXPECT_EQ(spawned, all.spawned);
    EXPECT_EQ(switches, all.switches);
    EXPECT_EQ(moat_monitor_stats(watched, 5, &stats), MOAT_E_INVAL);
    moat_monitor_destroy(watched);
}

static moat_status told;

static void *asks_of_a_monitor(void *arg)
{
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_monitor *another = NULL;

    EXPECT_EQ(moat_monitor_create(&another), MOAT_E_STATE);
    EXPECT_EQ(moat_monitor_stats(watched, 0, &stats), MOAT_OK);
    EXPECT(stats.spawned == 1);
    EXPECT_EQ(moat_monitor_dump(watched, 1, false), MOAT_E_STATE);
    moat_monitor_destroy(watched); /* no effect */
    EXPECT_EQ(moat_monitor_threads(watched), 1);
    return arg;
}

static void *runs_with_it(void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.monitor = watched;
    told = moat_sched_run(&options, asks_of_a_monitor, NULL, NULL);
    return arg;
}

static void *lets_another_run(void *arg)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, runs_with_it, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(told, MOAT_E_STATE);
    return asks_of_a_monitor(arg);
}

static void a_monitor_has_one_run_at_a_time(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    char small[10];

    (void)arg;
    EXPECT_EQ(moat_monitor_create(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_stats(NULL, 0, &stats), MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_dump(NULL, 1, false), MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_threads(NULL), 0);
    EXPECT_EQ(moat_monitor_prometheus(NULL, NULL, 0), 0);
    watched = monitor_of();
    EXPECT_EQ(moat_monitor_dump(watched, 1, false), MOAT_E_STATE);
    EXPECT_EQ(moat_monitor_dump(watched, -1, false), MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_stats(watched, MOAT_ALL_THREADS, NULL),
              MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_stats(watched, 0, &stats), MOAT_E_INVAL);
    EXPECT_EQ(moat_monitor_stats(watched, MOAT_ALL_THREADS, &stats), MOAT_OK);
    EXPECT_EQ(stats.spawned, 0);
    options.monitor = watched;
    EXPECT_EQ(moat_sched_run(&options, lets_another_run, NULL, NULL), MOAT_OK);
    EXPECT_EQ(stats_of(watched, 0).returned, 1);
    EXPECT(moat_monitor_prometheus(watched, small, sizeof small) > 1000);
    EXPECT_EQ(strlen(small), sizeof small - 1);
    EXPECT_EQ(moat_monitor_prometheus(watched, NULL, 0),
              moat_monitor_prometheus(watched, text, sizeof text));
    moat_monitor_destroy(watched);
    moat_monitor_destroy(NULL);
}

/* ---- Dumps from outside ------------------------------------------------- */

static int ends[2];
static sem_t may_end, is_there;

static void open_pipe(void)
{
    REQUIRE(pipe(ends) == 0);
}

static void close_pipe(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Reads until `last` has been written. */
static void read_until(const char *last)
{
    size_t length = 0;

    text[0] = '\0';
    while (strstr(text, last) == NULL) {
        ssize_t n = read(ends[0], text + length, sizeof text - 1 - length);

        REQUIRE(n > 0);
        length += (size_t)n;
        text[length] = '\0';
    }
}

static unsigned count_of(const char *words)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static void *waits_for_an_item(void *arg)
{
    (void)!moat_chan_recv(arg, NULL, NEVER);
    return NULL;
}

/* A run with a task that waits until the host wakes it. */
static void *holds_on(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;

    options.name = "the receiver";
    EXPECT_EQ(moat_task_spawn(NULL, waits_for_an_item, chan, &options, &task),
              MOAT_OK);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    (void)sem_post(&is_there);
    while (sem_trywait(&may_end) != 0)
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    moat_chan_close(chan);
    (void)join(task);
    moat_chan_destroy(chan);
    return arg;
}

static void *run_holding(void *arg)
{
    const moat_sched_options *options = arg;

    EXPECT_EQ(moat_sched_run(options, holds_on, NULL, NULL), MOAT_OK);
    return NULL;
}

static void let_it_end(pthread_t thread)
{
    (void)sem_post(&may_end);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

/* A worker that is not scheduled for a second is not one that keeps a turn: on
 * a busy machine the dump is made again. */
static bool is_dumped_with_frames(void)
{
    bool whole;

    open_pipe();
    whole = moat_monitor_dump(watched, ends[1], false) == MOAT_OK &&
            moat_monitor_dump(watched, ends[1], true) == MOAT_OK;
    if (whole)
        read_until("]}\n");
    close_pipe();
    return whole && count_of("does not answer") == 0;
}

static void any_thread_may_dump(const void *arg)
{
    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    for (unsigned threads = 1; threads <= 3; threads++) {
        moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
        pthread_t thread;

        watched = monitor_of();
        options.threads = threads;
        options.monitor = watched;
        REQUIRE(pthread_create(&thread, NULL, run_holding, &options) == 0);
        (void)sem_wait(&is_there);
        while (!is_dumped_with_frames())
            ;
        /* Whichever thread has it, its frames are there. */
        EXPECT_EQ(count_of("task 2 'the receiver': waiting, receives from"), 1);
        EXPECT_EQ(count_of("\"name\":\"the receiver\""), 1);
        EXPECT_EQ(count_of("spawned at holds_on+"), 1);
        EXPECT(count_of("waits_for_an_item+") >= 2);
        EXPECT_EQ(count_of("{\"tasks\":[{"), 1);
        EXPECT_EQ(count_of(",]"), 0);
        let_it_end(thread);
        EXPECT_EQ(moat_monitor_dump(watched, 1, false), MOAT_E_STATE);
        moat_monitor_destroy(watched);
    }
}

static void *keeps_its_turn(void *arg)
{
    (void)sem_post(&is_there);
    while (sem_trywait(&may_end) != 0)
        ;
    return arg;
}

static void *run_busy(void *arg)
{
    const moat_sched_options *options = arg;

    EXPECT_EQ(moat_sched_run(options, keeps_its_turn, NULL, NULL), MOAT_OK);
    return NULL;
}

static void a_task_that_keeps_its_turn_is_noted(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    pthread_t thread;

    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    watched = monitor_of();
    open_pipe();
    options.monitor = watched;
    REQUIRE(pthread_create(&thread, NULL, run_busy, &options) == 0);
    (void)sem_wait(&is_there);
    EXPECT_EQ(moat_monitor_dump(watched, ends[1], false), MOAT_E_TIMEOUT);
    let_it_end(thread);
    /* With a lock its tasks can be listed. */
    options.dump_signal = SIGUSR1;
    REQUIRE(pthread_create(&thread, NULL, run_busy, &options) == 0);
    (void)sem_wait(&is_there);
    EXPECT_EQ(moat_monitor_dump(watched, ends[1], false), MOAT_OK);
    read_until("task 1: running");
    EXPECT_EQ(count_of("thread 0 does not answer"), 1);
    let_it_end(thread);
    moat_monitor_destroy(watched);
    close_pipe();
}

/* ---- A signal ----------------------------------------------------------- */

static void on_former(int signo)
{
    (void)signo;
    (void)sem_post(&is_there);
}

static void a_signal_asks_for_a_dump(const void *arg)
{
    struct sigaction former = {.sa_handler = on_former}, after;
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    pthread_t thread;

    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    REQUIRE(sigaction(SIGQUIT, &former, NULL) == 0);
    for (unsigned threads = 1; threads <= 2; threads++) {
        open_pipe();
        options.threads = threads;
        options.dump_signal = SIGQUIT;
        options.report_fd = ends[1];
        REQUIRE(pthread_create(&thread, NULL, run_holding, &options) == 0);
        (void)sem_wait(&is_there);
        for (int i = 0; i < 2; i++) {
            REQUIRE(kill(getpid(), SIGQUIT) == 0);
            read_until("task 2 'the receiver': waiting");
            EXPECT_EQ(count_of("moat-sched: what the tasks do:"), 1);
        }
        let_it_end(thread);
        close_pipe();
        REQUIRE(sigaction(SIGQUIT, NULL, &after) == 0);
        EXPECT(after.sa_handler == on_former);
    }
    /* The former handler has it again. */
    REQUIRE(raise(SIGQUIT) == 0);
    (void)sem_wait(&is_there);
}

/* Two runs with the same signal: it asks both, and the last one restores. */
static void a_signal_asks_every_run(const void *arg)
{
    moat_sched_options options[2] = {MOAT_SCHED_OPTIONS_INIT,
                                     MOAT_SCHED_OPTIONS_INIT};
    struct sigaction before, during, after;
    pthread_t threads[2];

    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    REQUIRE(sigaction(SIGUSR1, NULL, &before) == 0);
    open_pipe();
    for (int i = 0; i < 2; i++) {
        options[i].dump_signal = SIGUSR1;
        options[i].report_fd = ends[1];
        REQUIRE(pthread_create(&threads[i], NULL, run_holding, &options[i]) ==
                0);
    }
    (void)sem_wait(&is_there);
    (void)sem_wait(&is_there);
    REQUIRE(kill(getpid(), SIGUSR1) == 0);
    /* One of them has the whole pipe first; or each its part. */
    read_until("moat-sched: what the tasks do:");
    while (count_of("moat-sched: what the tasks do:") < 2) {
        size_t length = strlen(text);
        ssize_t n = read(ends[0], text + length, sizeof text - 1 - length);

        REQUIRE(n > 0);
        text[length + (size_t)n] = '\0';
    }
    (void)sem_post(&may_end);
    (void)sem_post(&may_end);
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE(sigaction(SIGUSR1, NULL, &after) == 0);
    EXPECT(after.sa_handler == before.sa_handler);
    /* A handler that the host installs during the run stays. */
    options[0].threads = 1;
    REQUIRE(pthread_create(&threads[0], NULL, run_holding, &options[0]) == 0);
    (void)sem_wait(&is_there);
    during = (struct sigaction){.sa_handler = on_former};
    REQUIRE(sigaction(SIGUSR1, &during, NULL) == 0);
    let_it_end(threads[0]);
    REQUIRE(sigaction(SIGUSR1, NULL, &after) == 0);
    EXPECT(after.sa_handler == on_former);
    close_pipe();
}

/* The pipe is full and not read: the run goes on and ends. */
static void a_full_pipe_does_not_stop_the_run(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    char zeros[4096] = {0};
    pthread_t thread;

    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    open_pipe();
    REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(ends[1], zeros, sizeof zeros) > 0)
        ;
    REQUIRE(fcntl(ends[1], F_SETFL, 0) == 0);
    options.dump_signal = SIGUSR2;
    options.report_fd = ends[1];
    REQUIRE(pthread_create(&thread, NULL, run_holding, &options) == 0);
    (void)sem_wait(&is_there);
    REQUIRE(kill(getpid(), SIGUSR2) == 0);
    let_it_end(thread);
    close_pipe();
}

/* One task writes a dump into a full pipe, which another one, of another
 * thread, only reads when it has had many turns. */
static _Atomic bool dumps_now;

static void *drains(void *arg)
{
    char bytes[4096];

    while (!atomic_load(&dumps_now))
        moat_task_yield();
    for (int i = 0; i < 1000; i++)
        moat_task_yield();
    while (read(ends[0], bytes, sizeof bytes) > 0)
        ;
    return arg;
}

static void *dumps_into_it(void *arg)
{
    moat_task *reader = spawn(drains, NULL);

    atomic_store(&dumps_now, true);
    EXPECT_EQ(moat_dump_tasks(ends[1]), MOAT_OK);
    (void)close(ends[1]);
    (void)join(reader);
    return arg;
}

static void a_dump_stops_no_other_thread(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    char zeros[4096] = {0};

    (void)arg;
    open_pipe();
    REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(ends[1], zeros, sizeof zeros) > 0)
        ;
    REQUIRE(fcntl(ends[1], F_SETFL, 0) == 0);
    options.threads = 2;
    EXPECT_EQ(moat_sched_run(&options, dumps_into_it, NULL, NULL), MOAT_OK);
    (void)close(ends[0]);
}

#define MOST_SIGNALLED 16

static void one_run_too_many_waits_for_signals(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    pthread_t threads[MOST_SIGNALLED];

    (void)arg;
    REQUIRE(sem_init(&may_end, 0, 0) == 0 && sem_init(&is_there, 0, 0) == 0);
    options.threads = 1;
    options.dump_signal = SIGUSR1;
    for (int i = 0; i < MOST_SIGNALLED; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, run_holding, &options) == 0);
        (void)sem_wait(&is_there);
    }
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_FULL);
    EXPECT(strstr(moat_error_detail(), "16 runs of the process") != NULL);
    for (int i = 0; i < MOST_SIGNALLED; i++)
        (void)sem_post(&may_end);
    for (int i = 0; i < MOST_SIGNALLED; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void wrong_options_are_refused(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    struct sigaction before, after;

    (void)arg;
    options.dump_signal = SIGSEGV;
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_INVAL);
    options.dump_signal = SIGHUP;
    options.report_fd = -1;
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_INVAL);
    options.report_fd = 0;
    options.trace_fd = -1;
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_INVAL);
    options.trace_fd = 0;
    REQUIRE(sigaction(SIGHUP, NULL, &before) == 0);
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_OK);
    REQUIRE(sigaction(SIGHUP, NULL, &after) == 0);
    EXPECT(after.sa_handler == before.sa_handler);
    /* Too large, so that there is no memory. */
    options.trace_fd = 1;
    options.trace_events = SIZE_MAX / 2;
    EXPECT_EQ(moat_sched_run(&options, sleeps, NULL, NULL), MOAT_E_NOMEM);
}

/* ---- For the scripts ---------------------------------------------------- */

static int print_prometheus(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_monitor *monitor = monitor_of();

    options.threads = 2;
    options.monitor = monitor;
    options.measure_times = true;
    options.report_fd = -1;
    if (moat_sched_run(&options, ends_in_each_way, NULL, NULL) != MOAT_OK ||
        moat_monitor_prometheus(monitor, text, sizeof text) >= sizeof text)
        return 1;
    (void)fputs(text, stdout);
    moat_monitor_destroy(monitor);
    return 0;
}

static void *echoes(void *arg)
{
    uint64_t number = 0;

    while (moat_chan_recv(arg, &number, NEVER) == MOAT_OK)
        ;
    return NULL;
}

static void *exchanges(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_chan *chan = chan_of(8, 0);
    moat_task *task = NULL, *crasher;

    options.name = "echo \"quoted\"";
    REQUIRE(moat_task_spawn(NULL, echoes, chan, &options, &task) == MOAT_OK);
    crasher = spawn(crashes, NULL);
    for (uint64_t i = 0; i < 100; i++) {
        EXPECT_EQ(send_number(chan, i), MOAT_OK);
        if (i % 10 == 0)
            EXPECT_EQ(moat_sleep(1000), MOAT_OK);
    }
    (void)join(crasher);
    moat_chan_close(chan);
    (void)join(task);
    moat_chan_destroy(chan);
    return arg;
}

static void *gets_stuck(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *task = spawn(waits_for_an_item, chan);

    EXPECT_EQ(moat_chan_recv(chan, NULL, NEVER), MOAT_E_DEADLOCK);
    (void)join(task);
    moat_chan_destroy(chan);
    return arg;
}

static const struct {
    const char *name;
    moat_task_fn fn;
    unsigned threads;
    size_t events;
} traces[] = {
    {"one", exchanges, 1, 0},
    {"three", exchanges, 3, 0},
    {"lost", exchanges, 1, 16},
    {"stuck", gets_stuck, 1, 0},
};

static int print_trace(const char *name)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++)
        if (strcmp(traces[i].name, name) == 0) {
            options.threads = traces[i].threads;
            options.trace_events = traces[i].events;
            options.trace_fd = STDOUT_FILENO;
            options.report_fd = -1;
            return moat_sched_run(&options, traces[i].fn, NULL, NULL) !=
                   MOAT_OK;
        }
    return 2;
}

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(each_end_is_counted),
        CHILD_CASE(queues_and_timers_are_counted),
        CHILD_CASE(wakes_from_outside_are_counted),
        CHILD_CASE(times_are_measured_if_asked),
        CHILD_CASE(a_monitor_is_read_while_a_run_runs),
        CHILD_CASE(a_monitor_has_one_run_at_a_time),
        CHILD_CASE(any_thread_may_dump),
        CHILD_CASE(a_task_that_keeps_its_turn_is_noted),
        CHILD_CASE(a_signal_asks_for_a_dump),
        CHILD_CASE(a_signal_asks_every_run),
        CHILD_CASE(a_full_pipe_does_not_stop_the_run),
        CHILD_CASE(a_dump_stops_no_other_thread),
        CHILD_CASE(one_run_too_many_waits_for_signals),
        CHILD_CASE(wrong_options_are_refused),
    };

    if (argc > 1 && strcmp(argv[1], "prometheus") == 0)
        return print_prometheus();
    if (argc > 2 && strcmp(argv[1], "trace") == 0)
        return print_trace(argv[2]);
    return child_cases_run("sched.seen", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
