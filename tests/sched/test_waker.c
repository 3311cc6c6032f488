/*
 * test_waker.c: tasks that are woken from outside of the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "sched/scene.h"

static moat_waker *waker_of(void)
{
    moat_waker *waker = NULL;

    REQUIRE(moat_waker_create(&waker) == MOAT_OK);
    return waker;
}

/* ---- The flag ---------------------------------------------------------------
 */

static void *uses_the_flag(void *arg)
{
    moat_waker *waker = waker_of();

    EXPECT_EQ(moat_waker_wait(waker, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_waker_wait(waker, moat_now() + MS), MOAT_E_TIMEOUT);
    moat_waker_wake(waker);
    moat_waker_wake(waker);
    EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_OK);
    EXPECT_EQ(moat_waker_wait(waker, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_waker_wait(NULL, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_waker_create(NULL), MOAT_E_INVAL);
    moat_waker_wake(NULL);
    moat_waker_destroy(waker);
    moat_waker_destroy(NULL);
    return arg;
}

static void *waits_twice(void *arg)
{
    return (void *)(intptr_t)moat_waker_wait(arg, NEVER);
}

static void *has_one_waiter(void *arg)
{
    moat_waker *waker = waker_of();
    moat_task *task = spawn(waits_twice, waker);

    moat_task_yield();
    EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_E_STATE);
    moat_waker_destroy(waker); /* no effect */
    moat_waker_wake(waker);
    EXPECT_EQ((intptr_t)join(task).value, MOAT_OK);
    /* One that waited and was cancelled is forgotten. */
    task = spawn(waits_twice, waker);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    moat_waker_wake(waker);
    EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_OK);
    moat_waker_destroy(waker);
    return arg;
}

static void a_waker_is_a_flag(const void *arg)
{
    (void)arg;
    (void)run(uses_the_flag);
    (void)run(has_one_waiter);
}

/* ---- Threads
 * ------------------------------------------------------------------ */

#define WAKERS 8
#define ROUNDS 200

static moat_waker *wakers[WAKERS];
static _Atomic int asked[WAKERS], done;

/* Answers each request of each task. */
static void *wakes_them(void *arg)
{
    while (!atomic_load(&done))
        for (int i = 0; i < WAKERS; i++)
            if (atomic_exchange(&asked[i], 0))
                moat_waker_wake(wakers[i]);
    return arg;
}

static void *asks(void *arg)
{
    size_t i = (size_t)arg;

    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&asked[i], 1);
        EXPECT_EQ(moat_waker_wait(wakers[i], NEVER), MOAT_OK);
    }
    return arg;
}

static void *asks_all(void *arg)
{
    moat_task *tasks[WAKERS];

    for (size_t i = 0; i < WAKERS; i++)
        tasks[i] = spawn(asks, (void *)i);
    for (size_t i = 0; i < WAKERS; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void run_on(unsigned threads)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    options.threads = threads;
    options.report_fd = -1;
    options.stats = &stats;
    EXPECT_EQ(moat_sched_run(&options, asks_all, NULL, NULL), MOAT_OK);
    EXPECT_EQ(stats.deadlocks, 0);
}

static void another_thread_wakes_tasks(const void *arg)
{
    pthread_t thread;

    (void)arg;
    for (int i = 0; i < WAKERS; i++)
        wakers[i] = waker_of();
    REQUIRE(pthread_create(&thread, NULL, wakes_them, NULL) == 0);
    run_on(1);
    run_on(4); /* the same wakers, in another run */
    run_on(1);
    atomic_store(&done, 1);
    REQUIRE(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < WAKERS; i++)
        moat_waker_destroy(wakers[i]);
}

/* ---- A signal handler
 * ------------------------------------------------------------ */

static moat_waker *alarm_waker;

static void on_alarm(int signo)
{
    (void)signo;
    moat_waker_wake(alarm_waker);
}

static void *waits_for_alarms(void *arg)
{
    struct itimerval timer = {{0, 2000}, {0, 2000}};

    REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(moat_waker_wait(alarm_waker, NEVER), MOAT_OK);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    return arg;
}

static void a_signal_handler_wakes_a_task(const void *arg)
{
    const struct sigaction action = {.sa_handler = on_alarm,
                                     .sa_flags = SA_RESTART};

    (void)arg;
    alarm_waker = waker_of();
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    (void)run_with(MOAT_CLOCK_REAL, waits_for_alarms, NULL, NULL);
    moat_waker_destroy(alarm_waker);
}

/* ---- In one run, then in another, while the first goes on ----------------
 */

static moat_waker *shared, *own;
static atomic_bool passed_on;

static void *passes_it_on(void *arg)
{
    EXPECT_EQ(moat_waker_wait(shared, moat_now() + 1), MOAT_E_TIMEOUT);
    atomic_store(&passed_on, true);
    for (int i = 0; i < 2000; i++) {
        EXPECT_EQ(moat_waker_wait(own, moat_now() + 1), MOAT_E_TIMEOUT);
        moat_waker_wake(own);
        EXPECT_EQ(moat_waker_wait(own, NEVER), MOAT_OK);
    }
    return arg;
}

static void *takes_it(void *arg)
{
    while (!atomic_load(&passed_on))
        (void)moat_sleep(1);
    for (int i = 0; i < 2000; i++)
        EXPECT_EQ(moat_waker_wait(shared, moat_now() + 1), MOAT_E_TIMEOUT);
    return arg;
}

static void *is_another_run(void *arg)
{
    (void)run(takes_it);
    return arg;
}

static void a_waker_goes_from_run_to_run(const void *arg)
{
    pthread_t thread;

    (void)arg;
    shared = waker_of();
    own = waker_of();
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(pthread_create(&thread, NULL, is_another_run, NULL) == 0);
    (void)run(passes_it_on);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_waker_destroy(shared);
    moat_waker_destroy(own);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_waker_is_a_flag),
        CHILD_CASE(another_thread_wakes_tasks),
        CHILD_CASE(a_signal_handler_wakes_a_task),
        CHILD_CASE(a_waker_goes_from_run_to_run),
    };

    return child_cases_run("sched.waker", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
