/*
 * threads.c: a round trip, a life, and a trap with its reset, each in 1, 2, 4
 * and 8 threads at once, beside fcontext and a bare signal. The threads are
 * spread over the CPUs that the program may use and bound to them. The CPU time
 * of each thread is counted: it includes contention in the kernel, and excludes
 * waiting for a CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>

#include <moat/moat.h>

#include "bench/fault.h"
#include "bench/peers.h"

#define MAX_CASES   6
#define MAX_THREADS 8

static const size_t levels[] = {1, 2, 4, MAX_THREADS};
#define LEVELS (sizeof levels / sizeof levels[0])

struct thread_case {
    const char *name;
    bench_body body;
    const struct bench_peer *peer; /* of the body; NULL: faults */
    double ops;
    bool bare; /* with the bare handler instead of moat's */
};

static struct thread_case cases[MAX_CASES];
static size_t case_count;

static int cpus[CPU_SETSIZE];
static size_t cpu_count;

static void add_case(const char *name, bench_body body, double ops, bool bare)
{
    cases[case_count++] = (struct thread_case){
        .name = name, .body = body, .ops = ops, .bare = bare};
}

static void add_peer_case(const char *name, const struct bench_peer *peer,
                          enum bench_case number, double ops)
{
    add_case(name, peer->bodies[number], ops, false);
    cases[case_count - 1].peer = peer;
}

static void add_cases(void)
{
    add_peer_case("resume + yield, moat", &peer_moat, CASE_ACCUMULATE, 2e6);
#ifdef BENCH_FCONTEXT
    add_peer_case("resume + yield, fcontext", &peer_fcontext, CASE_ACCUMULATE,
                  2e6);
#endif
    add_peer_case("create + run + destroy, moat", &peer_moat, CASE_LIFE, 1e6);
#ifdef BENCH_FCONTEXT
    add_peer_case("create + run + destroy, fcontext", &peer_fcontext, CASE_LIFE,
                  1e6);
#endif
    add_case("trap + reset, moat", fault_moat_null, 5e3, false);
    add_case("bare signal", fault_bare_null, 5e3, true);
}

/* ---- The threads ---- */

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
        bench_stop("pthread_setaffinity_np");
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
    if (self->what->peer != NULL)
        self->what->peer->unmap_spares();
    return NULL;
}

static void sample(const struct thread_case *what, size_t threads, size_t count,
                   struct bench_series *series)
{
    static struct worker workers[MAX_THREADS];
    pthread_barrier_t start;
    double spent = 0;

    if (what->bare)
        fault_bare_install();
    if (pthread_barrier_init(&start, NULL, (unsigned)threads) != 0)
        bench_stop("pthread_barrier_init");
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .number = i, .count = count, .what = what, .start = &start};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            bench_stop("pthread_create");
    }
    for (size_t i = 0; i < threads; i++) {
        if (pthread_join(workers[i].thread, NULL) != 0)
            bench_stop("pthread_join");
        spent += workers[i].spent;
    }
    pthread_barrier_destroy(&start);
    if (what->bare)
        fault_bare_restore();
    bench_add(series, spent / (double)(threads * count));
}

/* ---- The run ---- */

/* Must run before the program is bound to one CPU. */
static void find_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        bench_stop("sched_getaffinity");
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set))
            cpus[cpu_count++] = i;
}

static void report(struct bench_series series[MAX_CASES][LEVELS])
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
    static struct bench_series series[MAX_CASES][LEVELS];
    struct bench_options options = bench_read_options(argc, argv, 15);

    find_cpus();
    bench_open("The same operations in several threads at once", &options);
    printf("Threads:  spread over %zu CPUs\n", cpu_count);
    add_cases();
    if (moat_engine_init(NULL) != MOAT_OK)
        bench_stop("moat_engine_init");
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t c = 0; c < case_count; c++)
            for (size_t n = 0; n < LEVELS; n++)
                sample(&cases[c], levels[n],
                       (size_t)(cases[c].ops * options.scale) + 1,
                       &series[c][n]);
    report(series);
    return bench_close(&options);
}
