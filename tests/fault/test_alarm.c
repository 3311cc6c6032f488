/*
 * test_alarm.c: a thread's timer that fires or fails where it is in the way:
 * before a guest has been entered, while the timer is being set, and when no
 * timer is left. No limit is lost by that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <alloca.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

int __real_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __real_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);
int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);

#define HOUR_MS UINT64_C(3600000)

static struct sigevent timers; /* what the library's timer sends */
static unsigned failing; /* the number of the next timer calls that fail */
static unsigned fires_before, fires_after; /* around the next setting */
static unsigned fires_at;   /* after the setting with this number          */
static uint64_t setting_ns; /* what each takes in addition                 */

static bool fails(void)
{
    if (failing == 0)
        return false;
    failing--;
    errno = EAGAIN;
    return true;
}

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    timers = *event;
    return fails() ? -1 : __real_timer_create(clock, event, timer);
}

/* As the timer does. */
static void fire(unsigned times)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = timers.sigev_signo;
    info.si_code = SI_TIMER;
    info.si_value = timers.sigev_value;
    for (unsigned i = 0; i < times; i++)
        EXPECT_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
                          info.si_signo, &info),
                  0);
}

int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before)
{
    unsigned first = fires_before, then = fires_after;
    int result;

    if (fails())
        return -1;
    fires_before = fires_after = 0;
    if (fires_at != 0 && --fires_at == 0)
        then = 1;
    fire(first);
    result = __real_timer_settime(timer, flags, when, before);
    fire(then);
    if (setting_ns != 0)
        spin_until(clock_ns(CLOCK_MONOTONIC) + setting_ns);
    return result;
}

static void resume_often(moat_co *co)
{
    for (unsigned i = 0; i < 300000; i++)
        REQUIRE(guest_resume(co, NULL).kind == MOAT_EVENT_YIELD);
}

/* A busy machine may run nothing of the thread between two signals. */
static void
signals_in_a_row_before_the_guest_is_entered_lose_no_limit(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 0, 20 * MS);

    (void)arg;
    for (unsigned signals = 1; signals <= 2; signals++) {
        fires_after = signals;
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        EXPECT_EQ(fires_after, 0);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* What the handler has set the timer for is overwritten then. */
static void
a_signal_while_the_timer_is_being_set_loses_no_limit(const void *arg)
{
    moat_co *distant = guest_create_limited(guest_echo, 0, HOUR_MS * MS);
    moat_co *co = guest_create_limited(guest_loop, 0, 20 * MS);

    (void)arg;
    for (unsigned after = 0; after < 2; after++) {
        fires_before = after == 0;
        fires_after = after;
        EXPECT_EQ(guest_resume(distant, NULL).kind, MOAT_EVENT_YIELD);
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
    moat_co_destroy(distant);
}

/* On a slow machine the timer fires before its handler has returned. */
static void signals_in_the_handler_do_not_pile_up(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 0, 20 * MS);

    (void)arg;
    for (unsigned at = 2; at <= 4; at++) {
        setting_ns = MS / 2;
        fires_at = at;
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        setting_ns = 0;
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void resume_until_refused(moat_co *co, moat_co *unused)
{
    moat_event event;
    moat_status status;

    (void)unused;
    do {
        status = moat_co_resume(co, NULL, &event);
    } while (status == MOAT_OK && event.kind == MOAT_EVENT_YIELD);
    EXPECT_EQ(status, MOAT_E_SYSTEM);
}

static void *switch_until_refused(moat_co *self, void *input)
{
    moat_co *other = input;
    moat_status status;

    do {
        status = moat_co_switch_to(self, other, NULL, &input);
    } while (status == MOAT_OK);
    EXPECT_EQ(status, MOAT_E_SYSTEM);
    return NULL;
}

static void resume_one_that_switches(moat_co *co, moat_co *switches)
{
    while (guest_resume(switches, co).kind == MOAT_EVENT_YIELD)
        continue;
    EXPECT_EQ(moat_co_reset(switches), MOAT_OK);
}

static void expect_stopped_after(void (*refused)(moat_co *, moat_co *),
                                 uint64_t ns)
{
    moat_co *amid = guest_create_limited(guest_echo, 0, ns);
    moat_co *co = guest_create_limited(guest_loop, 0, ns);
    moat_co *switches = guest_create(switch_until_refused);

    for (int i = 0; i < 5; i++) {
        resume_often(amid);
        failing = UINT_MAX;
        refused(amid, switches);
        failing = 0;
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(switches);
    moat_co_destroy(co);
    moat_co_destroy(amid);
}

/* Those that were resumed inline are not any more. */
static void no_guest_is_resumed_without_a_timer(const void *arg)
{
    (void)arg;
    expect_stopped_after(resume_until_refused, 20 * MS);
    expect_stopped_after(resume_one_that_switches, 20 * MS);
}

/* ---- In a child of a raw fork ---- */

/* Too little stack is left for a resume that is not inline. */
static void *be_refused(moat_co *self, void *input)
{
    moat_stack_info info;
    moat_event event;
    volatile char *used;

    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    used = alloca((uintptr_t)__builtin_frame_address(0) - info.limit - 4096);
    used[0] = 0;
    EXPECT_EQ(moat_co_resume(input, self, &event), MOAT_E_LIMIT);
    return NULL;
}

/* The child has no timer yet, and the fuel of its inline resumes is used up. */
static void a_refused_resume_in_a_child_makes_no_fuel(const void *arg)
{
    moat_co *refused = guest_create(be_refused);
    moat_co *amid = guest_create_limited(guest_echo, 0, 1000 * MS);
    moat_co *co = guest_create_limited(guest_loop, 0, 1000 * MS);
    int status = -1;
    pid_t child;

    (void)arg;
    resume_often(amid);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        EXPECT_EQ(guest_resume(refused, amid).kind, MOAT_EVENT_RETURN);
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
    }
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    moat_co_destroy(co);
    moat_co_destroy(amid);
    moat_co_destroy(refused);
}

#define CASE(function)                                                        \
    {                                                                         \
#        function, function, NULL, UNDER_TSAN ? "signals are delayed" : NULL, \
            0, 0                                                              \
    }

static const struct child_case cases[] = {
    CASE(signals_in_a_row_before_the_guest_is_entered_lose_no_limit),
    CASE(a_signal_while_the_timer_is_being_set_loses_no_limit),
    {"signals_in_the_handler_do_not_pile_up",
     signals_in_the_handler_do_not_pile_up, NULL,
     UNDER_TSAN   ? "signals are delayed"
     : UNDER_ASAN ? "the sanitizer takes frames of handlers for the guest's"
                  : NULL,
     0, 0},
    CASE(no_guest_is_resumed_without_a_timer),
    CASE(a_refused_resume_in_a_child_makes_no_fuel),
};

int main(int argc, char **argv)
{
    return child_cases_run("a timer that fires or fails in the way", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
