/*
 * threads.c: does what one thread does cost more when others do the same? A
 * round trip, a life, and a trap with its reset, each by 1, 2, 4 and 8 threads
 * at once, beside fcontext and a bare signal. The threads are spread over the
 * CPUs that the program may use and bound to them; what is counted is the CPU
 * time of each, so that waiting for a CPU costs nothing, and waiting for each
 * other in the kernel does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/call.h"
#include "bench/switch.h"
#include "bench/trap.h"

#define MOST_CASES   6
#define MOST_THREADS 8

static const size_t levels[] = {1, 2, 4, MOST_THREADS};
#define LEVELS (sizeof levels / sizeof levels[0])

/* A benchmark's body: it does `count` operations. */
typedef uint64_t (*thread_body)(size_t count);

struct thread_case {
    const char *name;
    thread_body body;
    double ops;
    bool bare; /* with the bare signal's handler in the place of moat's */
};

static struct thread_case cases[MOST_CASES];
static size_t case_count;

static int cpus[CPU_SETSIZE];
static size_t cpu_count;

static void add_case(const char *name, thread_body body, double ops, bool bare)
{
    cases[case_count++] = (struct thread_case){name, body, ops, bare};
}

static void add_cases(void)
{
    add_case("resume + yield, moat", engine_moat_inline.bodies[CASE_ACCUMULATE],
             2e6, false);
#ifdef BENCH_FCONTEXT
    add_case("resume + yield, fcontext", fcontext_in_a_thread, 2e6, false);
#endif
    add_case("create + run + destroy, moat", call_moat.cached, 1e6, false);
#ifdef BENCH_FCONTEXT
    add_case("create + run + destroy, fcontext", call_fcontext.cached, 1e6,
             false);
#endif
    add_case("trap + reset, moat", trap_moat_null, 5e3, false);
    add_case("bare signal", trap_bare_null, 5e3, true);
}

/* --- the threads --------------------------------------------------------- */

struct worker {
    pthread_t thread;
    size_t number, count;
    const struct thread_case *what;
    pthread_barrier_t *start;
    double spent;
};

static void bind(size_t number)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpus[number % cpu_count], &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
        stop("pthread_setaffinity_np");
}

static void *work(void *argument)
{
    struct worker *self = argument;
    double start;

    bind(self->number);
    (void)self->what->body(self->count / 16 + 1); /* warm-up */
    (void)pthread_barrier_wait(self->start);
    start = bench_now_ns();
    (void)self->what->body(self->count);
    self->spent = bench_now_ns() - start;
    return NULL;
}

static void sample(const struct thread_case *what, size_t threads, size_t count,
                   struct bench_series *series)
{
    static struct worker workers[MOST_THREADS];
    pthread_barrier_t start;
    double spent = 0;

    if (what->bare)
        trap_bare_install();
    if (pthread_barrier_init(&start, NULL, (unsigned)threads) != 0)
        stop("pthread_barrier_init");
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .number = i, .count = count, .what = what, .start = &start};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            stop("pthread_create");
    }
    for (size_t i = 0; i < threads; i++) {
        if (pthread_join(workers[i].thread, NULL) != 0)
            stop("pthread_join");
        spent += workers[i].spent;
    }
    pthread_barrier_destroy(&start);
    if (what->bare)
        trap_bare_restore();
    bench_add(series, spent / (double)(threads * count));
}

/* --- the run ------------------------------------------------------------- */

/* Before the program is bound to one of them. */
static void find_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        stop("sched_getaffinity");
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set))
            cpus[cpu_count++] = i;
}

static void report(struct bench_series series[MOST_CASES][LEVELS])
{
    static char names[LEVELS][16];

    for (size_t n = 0; n < LEVELS; n++)
        snprintf(names[n], sizeof names[n], "%zu thread%s", levels[n],
                 levels[n] == 1 ? "" : "s");
    for (size_t c = 0; c < case_count; c++) {
        for (size_t n = 0; n < LEVELS; n++)
            series[c][n].name = names[n];
        bench_report(cases[c].name, series[c], LEVELS, 0);
    }
    bench_note("the threads share", "CPUs", (double)cpu_count);
}

int main(int argc, char **argv)
{
    static struct bench_series series[MOST_CASES][LEVELS];
    struct bench_options options = bench_read_options(argc, argv);

    find_cpus();
    bench_open("The same by several threads at once", &options);
    printf("Threads:  spread over %zu CPUs\n", cpu_count);
    add_cases();
    if (moat_engine_init(NULL) != MOAT_OK)
        stop("moat_engine_init");
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t c = 0; c < case_count; c++)
            for (size_t n = 0; n < LEVELS; n++)
                sample(&cases[c], levels[n],
                       (size_t)(cases[c].ops * options.scale) + 1,
                       &series[c][n]);
    report(series);
    return bench_close(&options);
}
