/*
 * syscalls.c: what policies for system calls cost.
 *
 * - A system call of the host: on a thread that never had a guest with a
 *   policy, and on one that has, for all code or for some.
 * - A resume and a yield, with a policy and without; of guests with different
 *   ones in turns.
 * - A guest's system call: not filtered, performed, emulated.
 * - A denied call: the trap, the resume before it and the reset after it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "bench/bench.h"

/* The C library's syscall would read errno. */
static long call_kernel(void)
{
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)SYS_getppid)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- Guests ---- */

static moat_syscall_verdict emulate(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)arg;
    call->result = 1;
    return MOAT_SYSCALL_EMULATE;
}

static moat_syscall_verdict perform(moat_co *co, moat_syscall *call, void *arg)
{
    (void)co;
    (void)call;
    (void)arg;
    return MOAT_SYSCALL_PERFORM;
}

/* How a guest's system calls are decided. BESIDE: all are denied that are made
 * by a page in which none are. */
enum { FREE, TOTAL, EMULATED, PERFORMED, DENIED, BESIDE, KINDS };

static const char *const kind_names[KINDS] = {
    "no policy", "total wall limit", "emulated",
    "performed", "denied",           "policy for other code"};

static const unsigned char beside[4096];

static moat_co *try_create(size_t kind, moat_entry entry)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    if (kind == TOTAL)
        limits.total_wall_ns = UINT64_C(1000000000000);
    else if (kind != FREE)
        limits.syscalls = &policy;
    if (kind == EMULATED)
        policy.decide = emulate;
    if (kind == PERFORMED)
        policy.decide = perform;
    if (kind == BESIDE) {
        policy.code = beside;
        policy.code_bytes = sizeof beside;
    }
    options.limits = &limits;
    return moat_co_create(&co, entry, &options) == MOAT_OK ? co : NULL;
}

static moat_co *create(size_t kind, moat_entry entry)
{
    moat_co *co = try_create(kind, entry);

    if (co == NULL)
        bench_stop("moat_co_create");
    return co;
}

static void resume(moat_co *co, void *input, moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume(co, input, &event) != MOAT_OK || event.kind != kind)
        bench_stop("moat_co_resume");
}

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *call_often(moat_co *self, void *input)
{
    for (;;) {
        for (size_t i = *(const size_t *)input; i > 0; i--)
            (void)call_kernel();
        input = moat_co_yield(self, input);
    }
    return NULL;
}

/* Kernels before Linux 6.17 have no ranges. */
static bool has_ranges;

static void look_for_ranges(void)
{
    moat_co *co = try_create(BESIDE, echo);

    has_ranges = co != NULL;
    moat_co_destroy(co);
}

/* ---- The host ---- */

static double time_host(size_t count)
{
    double start = bench_now_ns();

    for (size_t i = 0; i < count; i++)
        (void)call_kernel();
    return (bench_now_ns() - start) / (double)count;
}

/* A detach switches the filter off, and a create on. */
static void measure_host(size_t count, size_t rounds)
{
    struct bench_series series[3] = {{.name = "filter off"},
                                     {.name = "filter on"},
                                     {.name = "filter of other code on"}};
    static const size_t kinds[3] = {FREE, DENIED, BESIDE};
    size_t kind_count = has_ranges ? 3 : 2;

    for (size_t i = 0; i < rounds; i++) {
        for (size_t kind = 0; kind < kind_count; kind++) {
            moat_co *co;

            if (moat_thread_detach() != MOAT_OK)
                bench_stop("moat_thread_detach");
            co = create(kinds[kind], echo);
            bench_add(&series[kind], time_host(count));
            moat_co_destroy(co);
        }
    }
    bench_report("a system call of the host", series, kind_count, 0);
}

/* ---- Guests ---- */

static void time_round_trips(moat_co *co, size_t count,
                             struct bench_series *series)
{
    double start = bench_now_ns();

    for (size_t i = 0; i < count; i++)
        resume(co, NULL, MOAT_EVENT_YIELD);
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

static void measure_round_trips(size_t count, size_t rounds)
{
    static const size_t kinds[] = {FREE, TOTAL, DENIED, BESIDE};
    static const char *const names[] = {"no policy", "total wall limit",
                                        "policy", "policy for other code"};
    struct bench_series series[4];
    size_t kind_count = has_ranges ? 4 : 3;

    for (size_t i = 0; i < kind_count; i++)
        series[i] = (struct bench_series){.name = names[i]};
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < kind_count; i++) {
            moat_co *co = create(kinds[i], echo);

            time_round_trips(co, count, &series[i]);
            moat_co_destroy(co);
        }
    }
    bench_report("resume and yield", series, kind_count, 0);
}

/* Two guests take turns: what the thread is filtered for changes each time. */
static void measure_changes(size_t count, size_t rounds)
{
    struct bench_series series = {.name = "two kinds of policy"};

    if (!has_ranges)
        return;
    for (size_t round = 0; round < rounds; round++) {
        moat_co *all = create(DENIED, echo), *some = create(BESIDE, echo);
        double start = bench_now_ns();

        for (size_t i = 0; i < count; i += 2) {
            resume(all, NULL, MOAT_EVENT_YIELD);
            resume(some, NULL, MOAT_EVENT_YIELD);
        }
        bench_add(&series, (bench_now_ns() - start) / (double)count);
        moat_co_destroy(all);
        moat_co_destroy(some);
    }
    bench_report("resume and yield in turns", &series, 1, 0);
}

static void time_calls(size_t kind, size_t count, struct bench_series *series)
{
    moat_co *co = create(kind, call_often);
    double start = bench_now_ns();

    resume(co, &count, MOAT_EVENT_YIELD);
    bench_add(series, (bench_now_ns() - start) / (double)count);
    moat_co_destroy(co);
}

static void time_denials(size_t count, struct bench_series *series)
{
    moat_co *co = create(DENIED, call_often);
    double start = bench_now_ns();

    for (size_t i = 0; i < count; i++) {
        resume(co, &count, MOAT_EVENT_TRAP);
        if (moat_co_reset(co) != MOAT_OK)
            bench_stop("moat_co_reset");
    }
    bench_add(series, (bench_now_ns() - start) / (double)count);
    moat_co_destroy(co);
}

static void measure_calls(size_t count, size_t rounds)
{
    static const size_t kinds[] = {DENIED, FREE, EMULATED, PERFORMED, BESIDE};
    struct bench_series series[5];
    size_t kind_count = has_ranges ? 5 : 4;

    for (size_t i = 0; i < kind_count; i++)
        series[i] = (struct bench_series){.name = kind_names[kinds[i]]};
    for (size_t round = 0; round < rounds; round++) {
        time_denials(count, &series[0]);
        for (size_t i = 1; i < kind_count; i++)
            time_calls(kinds[i], count, &series[i]);
    }
    bench_report("a system call of a guest", series, kind_count, 0);
}

static void skip_where_there_is_none(const struct bench_options *options)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options asked = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    limits.syscalls = &policy;
    asked.limits = &limits;
    if (moat_co_create(&co, echo, &asked) == MOAT_OK) {
        moat_co_destroy(co);
        return;
    }
    printf("skipped: %s\n", moat_error_detail());
    exit(bench_close(options));
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 21);
    size_t count;

    bench_open("moat: system calls of guests", &options);
    skip_where_there_is_none(&options);
    look_for_ranges();
    count = (size_t)(20000 * options.scale) + 1;
    measure_host(10 * count, options.rounds);
    measure_round_trips(10 * count, options.rounds);
    measure_changes(count, options.rounds);
    measure_calls(count, options.rounds);
    return bench_close(&options);
}
