/*
 * alarm.c: the timer of a thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/alarm.h"

#include <errno.h>
#include <signal.h>

#include "sys/fork.h"
#include "sys/refusal.h"
#include "trap/cpu_clock.h"
#include "trap/crew.h"
#include "trap/task.h"

#define NEVER MOAT_CLOCK_END

#define THREAD_UNKNOWN \
    "this is a child that shares its parent's memory: it has no timer"

/* The handler sets the timer for the next time, or stops it. If other code has
 * taken the signal (sigwait, a handler of its own), it comes again after this
 * time. */
#define LOST_NS UINT64_C(10000000)

__thread struct moat_alarm moat_alarm
    __attribute__((tls_model("initial-exec"))) = {
        .armed_at = NEVER,
        .watch = {.fuel = 1, .class = 1, .setting_ns = MOAT_WATCH_SETTING_NS}};

/* 0: not installed. Written under the engine's lock. */
static int alarm_signo;

/* A signal that comes amid this sets the timer, too. Either setting may be the
 * last, so what the timer is set for is then not known, and the next guest sets
 * it anew. */
bool moat_alarm_set(uint64_t at)
{
    unsigned fired = moat_alarm.fired;
    bool armed;

    moat_alarm.armed_at = NEVER;
    armed = moat_timer_set(&moat_alarm.timer, at, LOST_NS);
    if (armed)
        moat_alarm.armed_at = at;
    if (moat_alarm.fired != fired)
        moat_alarm.armed_at = NEVER;
    return armed;
}

void moat_alarm_use_signal(int signo)
{
    alarm_signo = signo;
}

static void change_mask(int how, sigset_t *before)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, alarm_signo);
    (void)pthread_sigmask(how, &set, before);
}

/* A thread that blocks all signals would never get this one. */
static void unblock(void)
{
    sigset_t before;

    change_mask(SIG_UNBLOCK, &before);
    if (sigismember(&before, alarm_signo) == 1)
        moat_alarm.was_blocked = true;
}

void moat_alarm_unblock(void)
{
    if (moat_alarm.has_timer)
        change_mask(SIG_UNBLOCK, NULL);
}

static void forget(void)
{
    static const struct moat_watch none = {
        .fuel = 1, .class = 1, .setting_ns = MOAT_WATCH_SETTING_NS};

    moat_tls.reach = 0;
    moat_alarm.has_timer = false;
    moat_alarm.armed_at = NEVER;
    moat_alarm.watch = none;
}

/* In a forked child. The words about the guest that was entered last still
 * hold. */
static void begin_anew(void)
{
    struct moat_watch watch = moat_alarm.watch;

    moat_cpu_clock_after_fork();
    forget();
    moat_alarm.watch.stamped_at = watch.stamped_at;
    moat_alarm.watch.stamped_cpu = watch.stamped_cpu;
    moat_alarm.watch.stamped = watch.stamped;
    moat_fork_settle(MOAT_FORK_DEADLINES);
}

static void begin_anew_if_forked(void)
{
    if (moat_fork_happened(MOAT_FORK_DEADLINES))
        begin_anew();
}

/* In a child it is 0, so that the next limited resume comes here. */
static void make_fuel(void)
{
    if (moat_tls.fuel == NULL)
        moat_tls.fuel = moat_fork_word_make();
    if (moat_tls.fuel == NULL)
        moat_tls.fuel = &moat_alarm.own_fuel;
}

bool moat_alarm_survives_fork(void)
{
    return moat_tls.fuel == &moat_alarm.own_fuel;
}

static void free_fuel(void)
{
    if (moat_tls.fuel != NULL && moat_tls.fuel != &moat_alarm.own_fuel)
        moat_fork_word_free(moat_tls.fuel);
    moat_tls.fuel = NULL;
}

moat_status moat_alarm_make(void)
{
    moat_status status;

    begin_anew_if_forked();
    if (moat_alarm.has_timer)
        return MOAT_OK;
    if (!moat_task_is_noted()) {
        errno = EINVAL;
        return moat_refuse(MOAT_E_SYSTEM, THREAD_UNKNOWN);
    }
    status = moat_timer_make(&moat_alarm.timer, alarm_signo, &moat_alarm);
    if (status != MOAT_OK)
        return status;
    moat_alarm.has_timer = true;
    moat_alarm.task = moat_task_noted();
    moat_crew_let_in(alarm_signo);
    make_fuel();
    unblock();
    return MOAT_OK;
}

/* Code that this interrupts while it sets the timer finds that gone, and makes
 * another. */
void moat_alarm_follow(void)
{
    struct moat_timer made;

    if (!MOAT_SWITCH_CREWS || moat_alarm.task == moat_task_noted() ||
        moat_timer_make(&made, alarm_signo, &moat_alarm) != MOAT_OK)
        return;
    moat_timer_delete(&moat_alarm.timer);
    moat_alarm.timer = made;
    moat_alarm.task = moat_task_noted();
    moat_crew_let_in(alarm_signo);
}

moat_status moat_alarm_set_surely(uint64_t at)
{
    if (moat_alarm_set(at))
        return MOAT_OK;
    /* Nothing watches until the new one is set, if it can be made at all. */
    moat_tls.reach = 0;
    if (!moat_task_is_noted())
        return moat_refuse(MOAT_E_SYSTEM, THREAD_UNKNOWN);
    moat_timer_delete(&moat_alarm.timer);
    moat_alarm.has_timer = false;
    if (moat_alarm_make() != MOAT_OK || !moat_alarm_set(at))
        return moat_refuse_errno("timer_settime");
    return MOAT_OK;
}

void moat_alarm_end(void)
{
    begin_anew_if_forked();
    if (moat_alarm.has_timer)
        moat_timer_delete(&moat_alarm.timer);
    /* The last signal of the timer has been delivered by now. */
    if (moat_alarm.was_blocked)
        change_mask(SIG_BLOCK, NULL);
    moat_alarm.was_blocked = false;
    moat_cpu_clock_end();
    forget();
    free_fuel();
}

void moat_alarm_after_fork(void)
{
    begin_anew();
}
