/*
 * test_fixture.c: the fixture runs a case again if, and only if, it failed
 * after it had waited for a CPU.
 *
 * The cases under test are run by a second fixture inside each of these.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_uint *runs;

static void share_runs(void)
{
    if (access("/proc/self/schedstat", R_OK) != 0)
        child_leave_out("the system does not say how long it waited");
    runs = mmap(NULL, sizeof *runs, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(runs != MAP_FAILED);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void spin_ms(uint64_t ms)
{
    uint64_t end = now_ms() + ms;

    while (now_ms() < end)
        continue;
}

static void stay_on_one_cpu(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
}

/* Another process takes half of this one's CPU meanwhile. */
static void be_starved(void)
{
    pid_t rival;

    stay_on_one_cpu();
    rival = fork();
    if (rival == 0)
        for (;;)
            continue;
    spin_ms(400);
    REQUIRE(rival > 0 && kill(rival, SIGKILL) == 0);
    REQUIRE(waitpid(rival, NULL, 0) == rival);
}

static void fail_twice_starved(const void *arg)
{
    (void)arg;
    be_starved();
    EXPECT(atomic_fetch_add(runs, 1) == 2);
}

static void fail_always_starved(const void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(runs, 1);
    be_starved();
    EXPECT(false);
}

static void fault_starved(const void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(runs, 1);
    be_starved();
    (void)raise(SIGSEGV);
}

static void hold_starved(const void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(runs, 1);
    be_starved();
}

static void expect_runs(void (*body)(const void *), int result, unsigned count)
{
    const struct child_case inner[] = {{"inner", body, NULL, NULL, 0, 0}};

    share_runs();
    EXPECT_EQ(child_cases_run("inner", inner, 1, NULL), result);
    EXPECT_EQ(*runs, count);
}

static void what_failed_starved_is_run_again(const void *arg)
{
    (void)arg;
    expect_runs(fail_twice_starved, 0, 3);
}

static void what_always_fails_is_a_failure(const void *arg)
{
    (void)arg;
    expect_runs(fail_always_starved, 1, 3);
}

static void what_faults_is_a_failure_at_once(const void *arg)
{
    (void)arg;
    expect_runs(fault_starved, 1, 1);
}

static void what_holds_is_run_once(const void *arg)
{
    (void)arg;
    expect_runs(hold_starved, 0, 1);
}

static const struct child_case cases[] = {
    CHILD_CASE(what_failed_starved_is_run_again),
    CHILD_CASE(what_always_fails_is_a_failure),
    CHILD_CASE(what_faults_is_a_failure_at_once),
    CHILD_CASE(what_holds_is_run_once),
};

int main(int argc, char **argv)
{
    return child_cases_run("fixture", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
