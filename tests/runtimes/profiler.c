/*
 * profiler.c: guests overflow under a sampling profiler like gprof, whose
 * handler has no SA_ONSTACK and a frame of its own.
 *
 *   profiler COUNT
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <moat/moat.h>

#define STACK_BYTES ((size_t)64 << 10)
#define PERIOD_NS   1000000
#define LINE        64

static volatile long samples;
static char lines[1 << 16];
static int *volatile nowhere;

static void on_sample(int signo, siginfo_t *info, void *context)
{
    char line[1024];
    size_t at = (size_t)samples * LINE % sizeof(lines);

    (void)signo;
    (void)info;
    (void)snprintf(line, sizeof(line), "%ld %p", samples, context);
    (void)memcpy(&lines[at], line, LINE);
    samples++;
}

static void start_profiler(void)
{
    struct sigaction action;
    struct sigevent event;
    const struct itimerspec period = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    timer_t timer;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_sample;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    if (sigaction(SIGPROF, &action, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &period, NULL) != 0)
        exit(2);
}

static __attribute__((noinline)) int descend(int depth)
{
    volatile char frame[200];

    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (char)((size_t)depth + i);
    return depth < 0 ? 0 : descend(depth + 1) + frame[3];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    (void)descend(0);
    return input;
}

static void *write_null(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

static int traps_as(moat_entry entry, moat_trap_kind kind)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;
    int right;

    options.stack_bytes = STACK_BYTES;
    if (moat_co_create(&co, entry, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 0;
    right = event.kind == MOAT_EVENT_TRAP &&
            moat_co_trap_info(co, &info) == MOAT_OK && info.kind == kind;
    moat_co_destroy(co);
    return right;
}

/* The profiler goes on: a signal that stayed blocked would be silent. */
static int goes_on(void)
{
    const struct timespec pause = {0, PERIOD_NS};
    long before = samples;

    for (int i = 0; i < 10000 && samples == before; i++)
        (void)nanosleep(&pause, NULL);
    return samples != before && moat_engine_check() == MOAT_OK;
}

int main(int argc, char **argv)
{
    int count = argc == 2 ? atoi(argv[1]) : 0, right = 0;

    if (moat_thread_attach() != MOAT_OK)
        return 2;
    start_profiler();
    for (int i = 0; i < count; i++) {
        right += traps_as(overflow, MOAT_TRAP_STACK_OVERFLOW);
        if (i % 1000 == 999 &&
            (!traps_as(write_null, MOAT_TRAP_NULL) || !goes_on()))
            return 1;
    }
    (void)printf("%d overflows, %d of them trapped, %ld samples\n", count,
                 right, samples);
    return count > 0 && right == count && goes_on() ? 0 : 1;
}
