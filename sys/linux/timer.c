/*
 * timer.c: clocks by clock_gettime(2), timers by timer_create(2).
 *
 * Timers run on CLOCK_MONOTONIC: those of CPU clocks are driven by the
 * scheduler's tick and come milliseconds late.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/timer.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/refusal.h"

#define NS_PER_S UINT64_C(1000000000)

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        return MOAT_CLOCK_END;
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t moat_clock_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

uint64_t moat_clock_cpu_ns(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* clock_getcpuclockid(3) has it for processes, pthread_getcpuclockid for
 * threads of the C library. */
#define CLOCK_OF_TASK(task) ((clockid_t)(~(unsigned)(task) << 3 | 6u))

uint64_t moat_clock_cpu_ns_of(int task)
{
    return now_ns(CLOCK_OF_TASK(task));
}

moat_status moat_timer_make(struct moat_timer *timer, int signo, void *token)
{
    struct sigevent event;
    timer_t made;

    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signo;
    event.sigev_value.sival_ptr = token;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &made) != 0)
        return moat_refuse_errno("timer_create");
    timer->handle = (void *)made;
    return MOAT_OK;
}

void moat_timer_delete(const struct moat_timer *timer)
{
    (void)timer_delete((timer_t)timer->handle);
}

static struct timespec time_of(uint64_t ns)
{
    const struct timespec time = {(time_t)(ns / NS_PER_S),
                                  (long)(ns % NS_PER_S)};

    return time;
}

/* timer_settime is async-signal-safe (POSIX.1-2017, 2.4.3). */
bool moat_timer_set(const struct moat_timer *timer, uint64_t at_ns,
                    uint64_t again_ns)
{
    struct itimerspec when;

    memset(&when, 0, sizeof when);
    if (at_ns != MOAT_CLOCK_END) {
        when.it_value = time_of(at_ns != 0 ? at_ns : 1);
        when.it_interval = time_of(again_ns);
    }
    return timer_settime((timer_t)timer->handle, TIMER_ABSTIME, &when, NULL) ==
           0;
}

bool moat_timer_sent(const siginfo_t *info, const void *token)
{
    return info->si_code == SI_TIMER && info->si_value.sival_ptr == token;
}
