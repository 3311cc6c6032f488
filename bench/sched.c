/*
 * sched.c: tasks and channels, beside POSIX threads and, where they are
 * installed, Go and Boost.Fiber. On one thread the CPU time of the process,
 * since the peers have threads; on several the time that passes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <moat/sched.h>

#include "bench/bench.h"
#include "bench/peers/fibers.h"

#define NEVER MOAT_NO_DEADLINE
#define CHANS 8

static size_t count;     /* operations of a sample */
static unsigned threads; /* of a run                */

static void check(moat_status status)
{
    if (status != MOAT_OK)
        bench_stop(moat_status_name(status));
}

/* ---- moat-sched ------------------------------------------------------------
 */

static void *returns(void *arg)
{
    return arg;
}

static void *sends(void *arg)
{
    for (size_t i = 0; i < count; i++)
        check(moat_chan_send(arg, &i, NEVER));
    return NULL;
}

static void receive_all(size_t capacity)
{
    moat_chan *chan;
    size_t item, sum = 0;

    check(moat_chan_create(&chan, sizeof item, capacity));
    check(moat_task_spawn(NULL, sends, chan, NULL, NULL));
    for (size_t i = 0; i < count; i++) {
        check(moat_chan_recv(chan, &item, NEVER));
        sum += item;
    }
    if (sum != count * (count - 1) / 2)
        bench_stop("a channel's sum");
    moat_chan_destroy(chan);
}

static void *moat_unbuffered(void *arg)
{
    receive_all(0);
    return arg;
}

static void *moat_buffered(void *arg)
{
    receive_all(100);
    return arg;
}

static void *moat_spawn(void *arg)
{
    moat_task *task;

    for (size_t i = 0; i < count; i++) {
        check(moat_task_spawn(NULL, returns, NULL, NULL, &task));
        check(moat_task_join(task, NEVER, NULL));
    }
    return arg;
}

static void *moat_selects(void *arg)
{
    moat_select_case cases[CHANS];
    size_t item, chosen;

    for (size_t i = 0; i < CHANS; i++) {
        cases[i] = (moat_select_case){NULL, false, &item};
        check(moat_chan_create(&cases[i].chan, sizeof item, 1));
    }
    for (size_t i = 0; i < count; i++) {
        check(moat_chan_send(cases[i % CHANS].chan, &i, NEVER));
        check(moat_select(cases, CHANS, NEVER, &chosen));
        if (chosen != i % CHANS)
            bench_stop("select");
    }
    for (size_t i = 0; i < CHANS; i++)
        moat_chan_destroy(cases[i].chan);
    return arg;
}

static void *sleeps(void *arg)
{
    for (int i = 0; i < 3; i++)
        check(moat_sleep(10000000u + (uintptr_t)arg * 100));
    return NULL;
}

static void *moat_sleepers(void *arg)
{
    for (uintptr_t i = 0; i < count; i++)
        check(moat_task_spawn(NULL, sleeps, (void *)i, NULL, NULL));
    return arg;
}

struct node {
    moat_chan *parent;
    size_t number, size;
};

static void *skynet(void *arg)
{
    struct node node = *(struct node *)arg, children[10];
    size_t sum = node.number, item;
    moat_chan *chan;

    if (node.size > 1) {
        sum = 0;
        check(moat_chan_create(&chan, sizeof sum, 0));
        for (size_t i = 0; i < 10; i++) {
            children[i] = (struct node){
                chan, node.number + i * (node.size / 10), node.size / 10};
            check(moat_task_spawn(NULL, skynet, &children[i], NULL, NULL));
        }
        for (size_t i = 0; i < 10; i++) {
            check(moat_chan_recv(chan, &item, NEVER));
            sum += item;
        }
        moat_chan_destroy(chan);
    }
    check(moat_chan_send(node.parent, &sum, NEVER));
    return NULL;
}

static void *moat_skynet(void *arg)
{
    struct node root = {NULL, 0, count};
    size_t sum;

    check(moat_chan_create(&root.parent, sizeof sum, 0));
    check(moat_task_spawn(NULL, skynet, &root, NULL, NULL));
    check(moat_chan_recv(root.parent, &sum, NEVER));
    if (sum != count * (count - 1) / 2)
        bench_stop("skynet's sum");
    moat_chan_destroy(root.parent);
    return arg;
}

static double clock_ns(void)
{
    struct timespec now;

    if (threads == 1)
        return bench_process_ns();
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double run_moat(moat_task_fn fn)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    double start = clock_ns();

    options.threads = threads;
    check(moat_sched_run(&options, fn, NULL, NULL));
    return (clock_ns() - start) / (double)count;
}

/* ---- POSIX threads
 * ----------------------------------------------------------- */

/* A queue for one item, as near to an unbuffered channel as threads come. */
static sem_t room, items;
static size_t held;

static void *thread_sends(void *arg)
{
    for (size_t i = 0; i < count; i++) {
        (void)sem_wait(&room);
        held = i;
        (void)sem_post(&items);
    }
    return arg;
}

static void threads_unbuffered(void)
{
    pthread_t thread;

    (void)sem_init(&room, 0, 1);
    (void)sem_init(&items, 0, 0);
    if (pthread_create(&thread, NULL, thread_sends, NULL) != 0)
        bench_stop("pthread_create");
    for (size_t i = 0; i < count; i++) {
        (void)sem_wait(&items);
        if (held != i)
            bench_stop("the threads' item");
        (void)sem_post(&room);
    }
    (void)pthread_join(thread, NULL);
}

static void threads_spawn(void)
{
    pthread_t thread;

    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&thread, NULL, returns, NULL) != 0)
            bench_stop("pthread_create");
        (void)pthread_join(thread, NULL);
    }
}

/* ---- Go
 * ------------------------------------------------------------------------ */

#ifdef BENCH_GO
static double run_go(const char *name, size_t operations)
{
    char command[512];
    double ns = 0;
    FILE *output;

    snprintf(command, sizeof command, "%s %s %zu %u", BENCH_GO, name,
             operations, threads);
    output = popen(command, "r");
    if (output == NULL || fscanf(output, "%lf", &ns) != 1 ||
        pclose(output) != 0)
        bench_stop(command);
    return ns;
}
#endif

/* ---- Boost.Fiber -----------------------------------------------------------
 */

#ifdef BENCH_FIBERS
/* False: it has no such program. */
static bool run_fibers(const char *name, double *ns)
{
    double start = clock_ns();
    int found = bench_fibers_run(name, count);

    if (found < 0)
        bench_stop("the fibers' items");
    *ns = (clock_ns() - start) / (double)count;
    return found != 0;
}
#endif

/* ---- The cases
 * ------------------------------------------------------------------ */

struct bench_case {
    const char *title, *name, *fibers; /* `name`: Go's */
    moat_task_fn moat;
    void (*threads)(void);
    size_t count, thread_count;
    unsigned workers;
};

static const struct bench_case cases[] = {
    {"a message, unbuffered", "unbuffered", "unbuffered", moat_unbuffered,
     threads_unbuffered, 1000000, 20000, 1},
    {"a message, unbuffered, 2 threads", "unbuffered", "across",
     moat_unbuffered, NULL, 300000, 0, 2},
    {"a message, buffer of 100", "buffered", "buffered", moat_buffered, NULL,
     1000000, 0, 1},
    {"spawn and join", "spawn", "spawn", moat_spawn, threads_spawn, 500000,
     5000, 1},
    {"select, one of 8 ready", "select", NULL, moat_selects, NULL, 500000, 0,
     1},
    {"a sleeper, of 100,000, 3 sleeps", "sleepers", NULL, moat_sleepers, NULL,
     100000, 0, 1},
    {"skynet, a task of 1,000,000", "skynet", NULL, moat_skynet, NULL, 1000000,
     0, 1},
    {"skynet, a task of 1,000,000, 2 threads", "skynet", NULL, moat_skynet,
     NULL, 1000000, 0, 2},
};

enum { MOAT, GO, FIBERS, THREADS, VARIANTS };

static void sample(const struct bench_case *one, double scale,
                   struct bench_series *series)
{
    double start;
    size_t scaled = (size_t)((double)one->count * scale);

    if (one->moat == moat_skynet)
        scaled = scale < 0.1 ? 1000 : one->count;
    count = scaled < 100 ? 100 : scaled;
    threads = one->workers;
    bench_add(&series[MOAT], run_moat(one->moat));
#ifdef BENCH_GO
    bench_add(&series[GO], run_go(one->name, count));
#endif
#ifdef BENCH_FIBERS
    if (one->fibers != NULL && run_fibers(one->fibers, &start))
        bench_add(&series[FIBERS], start);
#endif
    if (one->threads == NULL)
        return;
    count = (size_t)((double)one->thread_count * scale) + 10;
    start = bench_process_ns();
    one->threads();
    bench_add(&series[THREADS], (bench_process_ns() - start) / (double)count);
}

/* Cases with more threads run on all CPUs of the process. */
static cpu_set_t all_cpus, one_cpu;

static void run_case(const struct bench_case *one,
                     const struct bench_options *options)
{
    struct bench_series series[VARIANTS] = {{.name = "moat"},
                                            {.name = "Go"},
                                            {.name = "Boost.Fiber"},
                                            {.name = "POSIX threads"}};
    struct bench_series shown[VARIANTS];
    size_t shown_count = 0;

    (void)sched_setaffinity(0, sizeof all_cpus,
                            one->workers > 1 ? &all_cpus : &one_cpu);
    for (size_t round = 0; round < options->rounds; round++)
        sample(one, options->scale, series);
    for (size_t i = 0; i < VARIANTS; i++)
        if (series[i].count != 0)
            shown[shown_count++] = series[i];
    bench_report(one->title, shown, shown_count, shown_count > 1 ? 1 : 0);
}

/* ---- Memory
 * ---------------------------------------------------------------------- */

static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    double size, pages = 0;

    if (file == NULL || fscanf(file, "%lf %lf", &size, &pages) != 2)
        bench_stop("/proc/self/statm");
    fclose(file);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static void *waits(void *arg)
{
    (void)!moat_chan_recv(arg, NULL, NEVER);
    return NULL;
}

static void *idle(void *arg)
{
    double before = resident(), bytes;
    moat_chan *chan;

    check(moat_chan_create(&chan, 0, 0));
    for (size_t i = 0; i < count; i++)
        check(moat_task_spawn(NULL, waits, chan, NULL, NULL));
    moat_task_yield();
    bytes = (resident() - before) / (double)count;
    printf("idle, bytes per task\n  moat %.0f\n", bytes);
    bench_note("idle", "bytes per task of moat", bytes);
    moat_chan_destroy(chan);
    return arg;
}

static void run_idle(double scale)
{
    count = (size_t)(100000 * scale) + 100;
    check(moat_sched_run(NULL, idle, NULL, NULL));
#ifdef BENCH_GO
    {
        double bytes = run_go("idle", count);

        printf("  Go   %.0f\n", bytes);
        bench_note("idle", "bytes per task of Go", bytes);
    }
#endif
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 7);

    (void)sched_getaffinity(0, sizeof all_cpus, &all_cpus);
    bench_open("Tasks and channels", &options);
    (void)sched_getaffinity(0, sizeof one_cpu, &one_cpu);
    threads = 1;
    run_idle(options.scale); /* before others have left memory */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_case(&cases[i], &options);
    return bench_close(&options);
}
