/*
 * test_cpu_clock.c: the CPU time of a thread beside the system's clock of it,
 * and the stretches that it relies on. Calls of clock_gettime come here first
 * (--wrap).
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/fork.h"
#include "sys/stretch.h"
#include "trap/cpu_clock.h"

#define READINGS 100000

/* How far it may be from the system's clock: what a sample may add, as where a
 * virtual CPU was stopped; what a reading of the CPU's clock may be off by. */
#define AHEAD_NS  UINT64_C(300000)
#define BEHIND_NS UINT64_C(20000)

static size_t cpu_readings;
static bool no_cpu_clock;

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock == CLOCK_THREAD_CPUTIME_ID) {
        cpu_readings++;
        if (no_cpu_clock)
            return -1;
    }
    return __real_clock_gettime(clock, out);
}

static uint64_t system_cpu(void)
{
    struct timespec now;

    assert_int_equal(__real_clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pass(int signo)
{
    (void)signo;
}

static void sleep_long(void)
{
    const struct timespec long_time = {0, 2000000};

    (void)nanosleep(&long_time, NULL);
}

static void sleep_a_little(void)
{
    const struct timespec little = {0, 20000};

    (void)nanosleep(&little, NULL);
}

static bool system_has_stretches(void)
{
    bool whole = false;

    moat_stretch_prepare();
    for (int i = 0; i < 1000 && !whole; i++) {
        moat_stretch_begin();
        whole = moat_stretch_is_whole();
    }
    return whole;
}

/* An interruption may come at any time, so one of many must be whole. */
static bool is_whole_after(void (*fn)(void))
{
    bool whole = false;

    for (int i = 0; i < 100 && !whole; i++) {
        moat_stretch_begin();
        fn();
        whole = moat_stretch_is_whole();
    }
    return whole;
}

static void do_nothing(void)
{
}

static void raise_signal(void)
{
    (void)raise(SIGUSR1);
}

static void *ask(void *whole)
{
    *(bool *)whole = moat_stretch_is_whole();
    return NULL;
}

static void stretches_end_where_the_thread_is_interrupted(void **state)
{
    pthread_t thread;
    bool other = true;

    (void)state;
    if (!system_has_stretches())
        skip_for("no restartable sequences");
    assert_int_not_equal(signal(SIGUSR1, pass), SIG_ERR);
    assert_true(is_whole_after(do_nothing));
    assert_false(is_whole_after(sleep_long));
    assert_false(is_whole_after(raise_signal));
    assert_false(is_whole_after(moat_stretch_end));
    moat_stretch_begin();
    assert_int_equal(pthread_create(&thread, NULL, ask, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(other);
}

static void expect_agreement(uint64_t *last)
{
    uint64_t low = system_cpu(), cpu;
    uint64_t before = moat_clock_ns(), now = moat_cpu_clock_now(&cpu);
    uint64_t after = moat_clock_ns(), high = system_cpu();

    assert_true(cpu + BEHIND_NS >= low && cpu <= high + AHEAD_NS);
    assert_true(now + BEHIND_NS >= before && now <= after + BEHIND_NS);
    assert_true(cpu >= *last);
    *last = cpu;
}

static void it_agrees_with_the_system(void **state)
{
    uint64_t last = 0;

    (void)state;
    assert_int_not_equal(signal(SIGUSR1, pass), SIG_ERR);
    for (size_t i = 0; i < READINGS; i++) {
        expect_agreement(&last);
        if (i % 1000 == 0)
            sleep_a_little();
        if (i % 1000 == 500)
            (void)raise(SIGUSR1);
        if (i % 1000 == 750)
            (void)sched_yield();
    }
}

/* Until the system's clock has caught up with what was told ahead of it. */
static void catch_up(void)
{
    uint64_t until = system_cpu() + 2 * AHEAD_NS, cpu;

    while (system_cpu() < until)
        (void)moat_cpu_clock_now(&cpu);
}

/* Shorter than what a sample serves for, if the machine is not too busy. */
static void sleep_is_not_charged(void **state)
{
    size_t charged = 0, sleeps = 0;

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        uint64_t low, before, after, began, ended;

        catch_up();
        low = system_cpu();
        began = moat_cpu_clock_now(&before);
        sleep_a_little();
        ended = moat_cpu_clock_now(&after);
        if (ended - began > 200000)
            continue;
        sleeps++;
        charged += after - before > system_cpu() - low + 20000;
    }
    assert_true(charged <= sleeps / 2);
}

static void it_hardly_asks_the_system(void **state)
{
    uint64_t cpu;

    (void)state;
    if (!system_has_stretches())
        skip_for("no restartable sequences");
    cpu_readings = 0;
    for (size_t i = 0; i < READINGS; i++)
        (void)moat_cpu_clock_now(&cpu);
    assert_true(cpu_readings < READINGS / 2);
}

static void a_child_goes_on_from_its_parents_time(void **state)
{
    uint64_t before, cpu;
    pid_t child;
    int status;

    (void)state;
    (void)moat_cpu_clock_now(&before);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)moat_cpu_clock_now(&cpu);
        _exit(cpu + AHEAD_NS < before ||
              cpu > before + system_cpu() + AHEAD_NS);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_forbidden_clock_is_told(void **state)
{
    uint64_t cpu = 0, now;

    (void)state;
    moat_cpu_clock_end();
    no_cpu_clock = true;
    now = moat_cpu_clock_now(&cpu);
    no_cpu_clock = false;
    assert_int_equal(cpu, MOAT_CLOCK_END);
    assert_int_not_equal(now, MOAT_CLOCK_END);
    (void)moat_cpu_clock_now(&cpu);
    assert_int_not_equal(cpu, MOAT_CLOCK_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretches_end_where_the_thread_is_interrupted),
        cmocka_unit_test(it_agrees_with_the_system),
        cmocka_unit_test(sleep_is_not_charged),
        cmocka_unit_test(it_hardly_asks_the_system),
        cmocka_unit_test(a_child_goes_on_from_its_parents_time),
        cmocka_unit_test(a_forbidden_clock_is_told),
    };

    moat_fork_watch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
