/*
 * test_watch.c: limited guests that are resumed often enough to be resumed
 * inline. Nothing here measures a time; what is counted is system calls, and
 * signals that interrupt the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define OFTEN 300000

/* Under a sanitizer all resumes take the slow path, which is tested as well. */
static size_t often(void)
{
    return UNDER_ASAN || UNDER_TSAN || SWITCH_BY_THREADS ? OFTEN / 30 : OFTEN;
}

static void resume_often(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    for (size_t i = 0; i < often() && event.kind == MOAT_EVENT_YIELD; i++)
        event = guest_resume(co, NULL);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
}

/* ---- Stopped nevertheless ---- */

static void expect_stopped(moat_co *co, moat_co *amid, clockid_t clock,
                           uint64_t limit_ns)
{
    uint64_t start;

    resume_often(amid);
    start = clock_ns(clock);
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    EXPECT(clock_ns(clock) - start >= limit_ns);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
}

static void a_loop_amid_short_resumes_is_stopped(const void *arg)
{
    static const uint64_t lengths[] = {1, 5, 60};

    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        uint64_t ns = lengths[i] * MS;
        moat_co *cpu = guest_create_limited(guest_loop, ns, 0);
        moat_co *wall = guest_create_limited(guest_loop, 0, ns);
        moat_co *amid = guest_create_limited(guest_echo, 100 * ns, 100 * ns);
        moat_co *close = guest_create_limited(guest_echo, 2000 * MS, ns);

        for (int j = 0; j < 4; j++) {
            expect_stopped(cpu, j & 1 ? amid : close, CLOCK_WITH_GUESTS, ns);
            expect_stopped(wall, j & 1 ? amid : close, CLOCK_MONOTONIC, ns);
        }
        moat_co_destroy(cpu);
        moat_co_destroy(wall);
        moat_co_destroy(amid);
        moat_co_destroy(close);
    }
}

/* The guest that resumes often passes its own limit; what it resumes has longer
 * ones, or none. */
static void *resume_for_ever(moat_co *self, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    (void)self;
    while (event.kind == MOAT_EVENT_YIELD)
        event = guest_resume(input, NULL);
    return guest_loop(self, input);
}

static void a_guest_that_resumes_for_ever_is_stopped(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        uint64_t ns = (i & 1) != 0 ? 10000 * MS : 0;
        moat_co *inner = guest_create_limited(guest_echo, 0, ns);
        moat_co *outer = guest_create_limited(
            resume_for_ever, i & 2 ? 4 * MS : 0, i & 2 ? 0 : 4 * MS);

        guest_expect_trap(outer, inner, MOAT_TRAP_DEADLINE);
        /* Not in the middle of a resume, which would leave it entered. */
        EXPECT(moat_co_get_state(inner) == MOAT_CO_SUSPENDED ||
               moat_co_get_state(inner) == MOAT_CO_TRAPPED);
        moat_co_destroy(outer);
        moat_co_destroy(inner);
    }
}

/* A loop that an outer guest resumes amid short resumes. */
static void *resume_then_loop(moat_co *self, void *input)
{
    moat_co *inner = guest_create_limited(guest_loop, 0, 5 * MS);
    moat_co *amid = guest_create_limited(guest_echo, 0, 1000 * MS);

    (void)self;
    resume_often(amid);
    guest_expect_trap(inner, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(inner);
    moat_co_destroy(amid);
    return input;
}

static void an_inner_loop_is_stopped_alone(const void *arg)
{
    moat_co *outer = guest_create_limited(resume_then_loop, 0, 100000 * MS);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(guest_resume(outer, outer).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(outer), MOAT_OK);
    }
    moat_co_destroy(outer);
}

/* ---- No more than needed ---- */

/* Many lives of one coroutine after another, made from a spec. */
static void *return_input(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void lives_under_limits_end(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_spec *spec;
    moat_co *co;

    (void)arg;
    limits.resume_cpu_ns = limits.wall_ns = 2000 * MS;
    options.limits = &limits;
    REQUIRE(moat_spec_create(&spec, &options) == MOAT_OK);
    for (size_t i = 0; i < often(); i++) {
        REQUIRE(moat_co_create_from(&co, spec, return_input, NULL) == MOAT_OK);
        REQUIRE(guest_resume(co, co).value == co);
        moat_co_destroy(co);
    }
    REQUIRE(moat_co_create_from(&co, spec, guest_loop, NULL) == MOAT_OK);
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
    moat_spec_destroy(spec);
}

/* Twice more than after rare resumes, as the signals may come while a guest is
 * on its way in. */
static void the_host_is_interrupted_three_times_at_most(const void *arg)
{
    const struct timespec half_s = {0, 500000000};
    moat_co *co = guest_create_limited(guest_echo, 300 * MS, 300 * MS);

    (void)arg;
    resume_often(co);
    (void)nanosleep(&half_s, NULL);
    (void)nanosleep(&half_s, NULL);
    (void)nanosleep(&half_s, NULL);
    EXPECT_EQ(nanosleep(&half_s, NULL), 0);
    EXPECT_EQ(nanosleep(&half_s, NULL), 0);
    moat_co_destroy(co);
}

static void run_traced(void)
{
    moat_co *co = guest_create_limited(guest_echo, 100 * MS, 100 * MS);

    resume_often(co);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    (void)raise(SIGSTOP);
    for (int i = 0; i < 10; i++)
        resume_often(co);
    (void)raise(SIGSTOP);
    _exit(0);
}

/* A call stops the child twice. */
static size_t count_stops(pid_t child)
{
    size_t stops = 0;
    int status = 0, signo = 0;

    for (;;) {
        REQUIRE(ptrace(PTRACE_SYSCALL, child, NULL, signo) == 0);
        REQUIRE(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
        signo = WSTOPSIG(status);
        if (signo == SIGSTOP)
            return stops;
        stops += signo == (SIGTRAP | 0x80);
        signo = signo == (SIGTRAP | 0x80) ? 0 : signo;
    }
}

/* Three million resumes: on an idle machine they take about a hundred calls,
 * and more the longer they take. */
static void resumes_take_no_system_calls(const void *arg)
{
    pid_t child = fork();
    int status;

    (void)arg;
    if (child == 0)
        run_traced();
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    if (!WIFSTOPPED(status))
        return; /* it may not be traced */
    REQUIRE(ptrace(PTRACE_SETOPTIONS, child, NULL,
                   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    EXPECT(count_stops(child) < 10 * OFTEN / 20);
    (void)ptrace(PTRACE_CONT, child, NULL, NULL);
    (void)waitpid(child, &status, 0);
}

#define DELAYED (UNDER_TSAN ? "signals are delayed" : NULL)
#define SLOW                                                \
    (UNDER_ASAN || UNDER_TSAN ? "no resume is inline"       \
     : SWITCH_SETS_MASK       ? "a switch is a system call" \
                              : NULL)
#define CASE(function, skip)                  \
    {                                         \
#        function, function, NULL, skip, 0, 0 \
    }

static const struct child_case cases[] = {
    CASE(a_loop_amid_short_resumes_is_stopped, DELAYED),
    CASE(a_guest_that_resumes_for_ever_is_stopped, DELAYED),
    CASE(an_inner_loop_is_stopped_alone, DELAYED),
    CASE(lives_under_limits_end, DELAYED),
    CASE(the_host_is_interrupted_three_times_at_most, NULL),
    CASE(resumes_take_no_system_calls, SLOW),
};

int main(int argc, char **argv)
{
    return child_cases_run("limits where resumes are frequent", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
