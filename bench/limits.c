/*
 * limits.c: what time limits cost, and how late they are.
 *
 * - A resume and a yield, and the life of a coroutine from a spec, with limits
 *   and without.
 * - The same with a microsecond of work in each resume: what the timer costs.
 * - System calls of ten million resumes, counted by a parent that traces them.
 * - The end of a time slice and the resume after it, against a timer's signal
 *   alone: the time that a fixed amount of work takes longer, for each of them.
 * - The end of a time slice and the next resume, beside a timer's bare signal:
 *   by how much a fixed amount of work takes longer, for each of them.
 * - How late endless loops are stopped. One that is stopped early ends the
 *   program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/peers.h"

#define MS       UINT64_C(1000000)
#define RESUMES  10000000u
#define LOOPS    1000u
#define WORK_NS  1000.0
#define RUNS_FOR (10 * MS) /* the limit where one length stands for all */

/* ---- Guests ---- */

static size_t turns; /* of the loop that takes a microsecond */

__attribute__((noinline)) static void work(size_t count)
{
    for (volatile size_t i = 0; i < count;)
        i = i + 1;
}

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *work_and_echo(moat_co *self, void *input)
{
    for (;;) {
        work(turns);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

static void *loop(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    for (;;)
        __asm__ volatile("");
    return NULL;
}

static moat_co *create(moat_entry entry, const moat_limits *limits,
                       uint64_t flags)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.limits = limits;
    options.flags = flags;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        bench_stop("moat_co_create");
    return co;
}

static void resume(moat_co *co, moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK || event.kind != kind)
        bench_stop("moat_co_resume");
}

static void resume_often(moat_co *co, size_t count)
{
    for (size_t i = 0; i < count; i++)
        resume(co, MOAT_EVENT_YIELD);
}

/* ---- Round trips ---- */

enum { PLAIN, CPU, WALL, BOTH, TOTAL_CPU, TOTAL_WALL, EXACT, KINDS };

static const char *const kind_names[KINDS] = {
    "no limits",       "CPU limit",        "wall limit", "CPU and wall",
    "total CPU limit", "total wall limit", "exact usage"};

static moat_co *create_kind(size_t kind, moat_entry entry)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    if (kind == CPU || kind == BOTH)
        limits.resume_cpu_ns = RUNS_FOR;
    if (kind == WALL || kind == BOTH)
        limits.wall_ns = RUNS_FOR;
    if (kind == TOTAL_CPU)
        limits.total_cpu_ns = 1000000 * MS;
    if (kind == TOTAL_WALL)
        limits.total_wall_ns = 1000000 * MS;
    return create(entry, &limits, kind == EXACT ? MOAT_CO_EXACT_USAGE : 0);
}

static void measure_round_trips(const char *name, moat_entry entry,
                                size_t count, size_t rounds)
{
    struct bench_series series[KINDS];
    moat_co *guests[KINDS];

    for (size_t kind = 0; kind < KINDS; kind++) {
        series[kind] = (struct bench_series){.name = kind_names[kind]};
        guests[kind] = create_kind(kind, entry);
        resume_often(guests[kind], 100);
    }
    for (size_t i = 0; i < rounds; i++) {
        for (size_t kind = 0; kind < KINDS; kind++) {
            double start = bench_now_ns();

            resume_often(guests[kind], count);
            bench_add(&series[kind], (bench_now_ns() - start) / (double)count);
        }
    }
    bench_report(name, series, KINDS, PLAIN);
    for (size_t kind = 0; kind < KINDS; kind++)
        moat_co_destroy(guests[kind]);
}

static void choose_work(void)
{
    const size_t tried = 1000000;
    double best = 1e18;

    for (int i = 0; i < 5; i++) {
        double start = bench_now_ns(), spent;

        work(tried);
        spent = bench_now_ns() - start;
        best = spent < best ? spent : best;
    }
    turns = (size_t)((double)tried * WORK_NS / best);
}

/* ---- Lives ---- */

static void measure_lives(double count, size_t rounds)
{
    struct bench_peers peers = {.reference = 0};

#ifdef BENCH_FCONTEXT
    bench_add_peer(&peers, &peer_fcontext);
#endif
    bench_add_peer(&peers, &peer_moat_prepared);
    bench_add_peer(&peers, &peer_moat_limited);
    bench_run_case(&peers, CASE_LIFE,
                   "create from a spec, run to the end, destroy", count,
                   rounds);
}

/* ---- System calls ---- */

/* Between two signals that the parent waits for. */
static void run_traced(size_t kind, size_t count)
{
    moat_co *co = create_kind(kind, echo);

    resume_often(co, 100);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(2);
    (void)raise(SIGSTOP);
    resume_often(co, count);
    (void)raise(SIGSTOP);
    _exit(0);
}

/* Each call stops the child twice: on its way in and out. Raising the signal
 * takes some, too. */
static size_t count_stops(pid_t child)
{
    size_t stops = 0;
    int status = 0, signo = 0;

    for (;;) {
        if (ptrace(PTRACE_SYSCALL, child, NULL, signo) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            bench_stop("ptrace");
        signo = WSTOPSIG(status);
        if (signo == SIGSTOP)
            return stops;
        if (signo == (SIGTRAP | 0x80)) {
            stops++;
            signo = 0;
        }
    }
}

static void count_calls(size_t kind, size_t count)
{
    pid_t child = fork();
    double calls;
    int status;

    if (child == 0)
        run_traced(kind, count);
    if (child < 0 || waitpid(child, &status, 0) != child ||
        !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD) != 0) {
        printf("system calls: this process may not trace another\n");
        return;
    }
    calls = (double)count_stops(child) / 2;
    (void)ptrace(PTRACE_CONT, child, NULL, NULL);
    (void)waitpid(child, &status, 0);
    printf("%-20s %.0f system calls in %zu resumes\n", kind_names[kind], calls,
           count);
    bench_note(kind_names[kind], "system_calls", calls);
}

/* ---- Slices ---- */

#define SLICE_NS   50000
#define SLICE_WORK 20u /* milliseconds */

static timer_t bare_timer;
static volatile size_t bare_signals;

static void set_bare_timer(long ns)
{
    const struct itimerspec when = {{0, 0}, {0, ns}};

    if (timer_settime(bare_timer, 0, &when, NULL) != 0)
        bench_stop("timer_settime");
}

/* As moat does, it sets the timer for the next time. */
static void on_bare_signal(int signo)
{
    (void)signo;
    bare_signals = bare_signals + 1;
    set_bare_timer(SLICE_NS);
}

static void make_bare_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct sigaction action = {.sa_handler = on_bare_signal,
                               .sa_flags = SA_RESTART};

    if (sigaction(SIGUSR1, &action, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &bare_timer) != 0)
        bench_stop("timer_create");
}

static void *work_long_and_echo(moat_co *self, void *input)
{
    for (;;) {
        work(turns * SLICE_WORK * 1000);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

/* Returns how often the guest was suspended on its way, and the CPU time. */
static size_t time_to_yield(moat_co *co, double *spent)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    double start = bench_now_ns();
    size_t times = 0;

    for (;; times++) {
        if (moat_co_resume(co, NULL, &event) != MOAT_OK)
            bench_stop("moat_co_resume");
        if (event.kind != MOAT_EVENT_PREEMPT)
            break;
    }
    *spent = bench_now_ns() - start;
    return times;
}

static void measure_slices(size_t rounds)
{
    struct bench_series series[] = {{.name = "a timer's signal"},
                                    {.name = "the end of a slice, and resume"}};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *plain = create(work_long_and_echo, NULL, 0), *sliced;

    limits.slice_ns = SLICE_NS;
    sliced = create(work_long_and_echo, &limits, 0);
    make_bare_timer();
    for (size_t i = 0; i < rounds; i++) {
        double alone, signalled, suspended;
        size_t times;

        (void)time_to_yield(plain, &alone);
        bare_signals = 0;
        set_bare_timer(SLICE_NS);
        (void)time_to_yield(plain, &signalled);
        set_bare_timer(0);
        times = time_to_yield(sliced, &suspended);
        if (bare_signals == 0 || times == 0)
            bench_stop("the timer");
        bench_add(&series[0], (signalled - alone) / (double)bare_signals);
        bench_add(&series[1], (suspended - alone) / (double)times);
    }
    bench_report("the end of a slice", series, 2, 0);
    (void)timer_delete(bare_timer);
    moat_co_destroy(sliced);
    moat_co_destroy(plain);
}

/* ---- Lateness ---- */

static uint64_t clock_now(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        bench_stop("clock_gettime");
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void report_lateness(const char *name, double *late_us, size_t count)
{
    qsort(late_us, count, sizeof *late_us, compare);
    printf("%-28s late by %.0f us (median), %.0f (99 %%), %.0f (max)\n", name,
           late_us[count / 2], late_us[count * 99 / 100], late_us[count - 1]);
    bench_note(name, "median_us", late_us[count / 2]);
    bench_note(name, "99_%_us", late_us[count * 99 / 100]);
    bench_note(name, "max_us", late_us[count - 1]);
}

/* A thread of the classes SCHED_FIFO and SCHED_RR is stopped for 50 ms each
 * second if it never waits (sched(7)). */
static void pause_for(uint64_t ns)
{
    const struct timespec time = {0, (long)ns};

    (void)nanosleep(&time, NULL);
}

/* How late a loop is stopped. With `amid` it is entered among many short
 * resumes of another guest, so that the timer has to find it. */
static double stop_loop(moat_co *co, moat_co *amid, clockid_t clock,
                        uint64_t limit_ns, size_t number)
{
    uint64_t start, spent;

    if (amid != NULL)
        resume_often(amid, 20000 + number % 97 * 331);
    start = clock_now(clock);
    resume(co, MOAT_EVENT_TRAP);
    spent = clock_now(clock) - start;
    if (spent < limit_ns)
        bench_stop("a limit passed early");
    if (moat_co_reset(co) != MOAT_OK)
        bench_stop("moat_co_reset");
    pause_for(limit_ns / 8);
    return (double)(spent - limit_ns) / 1000;
}

static void measure_lateness(bool cpu, bool busy, uint64_t limit_ns,
                             size_t loops)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    double *late_us = calloc(loops, sizeof *late_us);
    moat_co *co, *amid;
    char name[64];

    if (late_us == NULL)
        bench_stop("calloc");
    *(cpu ? &limits.resume_cpu_ns : &limits.wall_ns) = limit_ns;
    co = create(loop, &limits, 0);
    amid = busy ? create(echo, &limits, 0) : NULL;
    for (size_t i = 0; i < loops; i++)
        late_us[i] =
            stop_loop(co, amid, cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC,
                      limit_ns, i);
    (void)snprintf(name, sizeof name, "%s %u ms, %s", cpu ? "CPU" : "wall",
                   (unsigned)(limit_ns / MS), busy ? "busy" : "alone");
    report_lateness(name, late_us, loops);
    free(late_us);
    moat_co_destroy(co);
    moat_co_destroy(amid);
}

static void measure_all_lateness(size_t loops)
{
    static const uint64_t lengths[] = {1, 10, 100};

    for (size_t i = 0; i < 3; i++) {
        for (int kind = 0; kind < 4; kind++)
            measure_lateness(kind & 1, kind & 2, lengths[i] * MS, loops);
    }
}

static size_t scaled(double count, const struct bench_options *options)
{
    return (size_t)(count * options->scale) + 1;
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 21);

    bench_open("time limits", &options);
    choose_work();
    measure_round_trips("resume and yield", echo, scaled(200000, &options),
                        options.rounds);
    measure_round_trips("with a microsecond of work", work_and_echo,
                        scaled(20000, &options), options.rounds);
    measure_lives(1e5 * options.scale, options.rounds);
    for (size_t kind = PLAIN; kind <= BOTH; kind++)
        count_calls(kind, scaled(RESUMES, &options));
    measure_slices(options.rounds);
    measure_all_lateness(scaled(LOOPS, &options));
    return bench_close(&options);
}
