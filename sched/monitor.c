/*
 * monitor.c: what other threads see a run by.
 *
 * A monitor owns the workers of its run, and keeps them when the run has ended.
 * So counters can be read at any time without a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sched/gather.h"
#include "sched/monitor.h"
#include "sched/refuse.h"
#include "sched/structs.h"

#define MONITOR_MAGIC 0x6d6f6e69u
#define STATS_LEAST   offsetof(moat_sched_stats, not_run)

/* Workers of a run. */
struct crew {
    struct crew *older;
    unsigned room;
    _Atomic unsigned threads;
    struct worker workers[];
};

struct moat_monitor {
    uint32_t magic;
    pthread_mutex_t lock;        /* of `run` and `busy` */
    struct sched *run;           /* that can be asked for dumps */
    bool busy;                   /* a run has it        */
    _Atomic(struct crew *) crew; /* the newest one; readers may have others */
};

static bool is_monitor(const moat_monitor *monitor)
{
    return monitor != NULL && monitor->magic == MONITOR_MAGIC;
}

/* ---- For runs ----------------------------------------------------------- */

static struct crew *make_crew(unsigned threads, struct crew *older)
{
    struct crew *crew =
        calloc(1, sizeof *crew + threads * sizeof(struct worker));

    if (crew != NULL) {
        crew->older = older;
        crew->room = threads;
        atomic_init(&crew->threads, threads);
    }
    return crew;
}

/* Readers may read the counters meanwhile. */
static void clear(struct crew *crew, unsigned threads)
{
    atomic_store_explicit(&crew->threads, threads, memory_order_relaxed);
    for (unsigned i = 0; i < crew->room; i++) {
        struct worker *worker = &crew->workers[i];
        size_t ready = offsetof(struct worker, ready.count);
        size_t after = ready + sizeof worker->ready.count;

        memset(worker, 0, ready);
        atomic_store_explicit(&worker->ready.count, 0, memory_order_relaxed);
        memset((char *)worker + after, 0,
               offsetof(struct worker, counters) - after);
        for (int c = 0; c < COUNTERS; c++)
            counter_set(&worker->counters, c, 0);
    }
}

static moat_status enter(moat_monitor *monitor, struct sched *run)
{
    struct crew *crew = atomic_load(&monitor->crew);

    if (monitor->busy)
        return MOAT_E_STATE;
    if (crew != NULL && crew->room >= run->threads) {
        clear(crew, run->threads);
    } else {
        crew = make_crew(run->threads, crew);
        if (crew == NULL)
            return MOAT_E_NOMEM;
        atomic_store(&monitor->crew, crew);
    }
    monitor->busy = true;
    run->workers = crew->workers;
    return MOAT_OK;
}

moat_status moat_monitor_enter(moat_monitor *monitor, struct sched *run)
{
    moat_status status;

    if (monitor == NULL) {
        run->workers = calloc(run->threads, sizeof *run->workers);
        return run->workers != NULL ? MOAT_OK : MOAT_E_NOMEM;
    }
    if (!is_monitor(monitor))
        return refuse_pointer("options->monitor is %x: no monitor", monitor);
    (void)pthread_mutex_lock(&monitor->lock);
    status = enter(monitor, run);
    (void)pthread_mutex_unlock(&monitor->lock);
    return status;
}

static void set_run(moat_monitor *monitor, struct sched *run, bool busy)
{
    (void)pthread_mutex_lock(&monitor->lock);
    monitor->run = run;
    monitor->busy = busy;
    (void)pthread_mutex_unlock(&monitor->lock);
}

void moat_monitor_open(moat_monitor *monitor, struct sched *run)
{
    if (monitor != NULL)
        set_run(monitor, run, true);
}

void moat_monitor_shut(moat_monitor *monitor)
{
    if (monitor != NULL)
        set_run(monitor, NULL, true);
}

void moat_monitor_leave(moat_monitor *monitor, struct sched *run)
{
    if (monitor == NULL)
        free(run->workers);
    else
        set_run(monitor, NULL, false);
}

/* ---- The calls ---------------------------------------------------------- */

static moat_status refuse_monitor(const moat_monitor *monitor)
{
    return refuse_pointer("monitor is %x: no monitor", monitor);
}

moat_status moat_monitor_create(moat_monitor **out)
{
    moat_monitor *monitor;

    if (out == NULL)
        return refuse("out is NULL");
    if (moat_co_current() != NULL)
        return MOAT_E_STATE;
    monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL)
        return MOAT_E_NOMEM;
    (void)pthread_mutex_init(&monitor->lock, NULL);
    monitor->magic = MONITOR_MAGIC;
    *out = monitor;
    return MOAT_OK;
}

void moat_monitor_destroy(moat_monitor *monitor)
{
    struct crew *crew;

    if (!is_monitor(monitor) || moat_co_current() != NULL || monitor->busy)
        return;
    crew = atomic_load(&monitor->crew);
    while (crew != NULL) {
        struct crew *older = crew->older;

        free(crew);
        crew = older;
    }
    monitor->magic = 0;
    (void)pthread_mutex_destroy(&monitor->lock);
    free(monitor);
}

unsigned moat_monitor_threads(const moat_monitor *monitor)
{
    const struct crew *crew =
        is_monitor(monitor) ? atomic_load(&monitor->crew) : NULL;

    return crew != NULL
               ? atomic_load_explicit(&crew->threads, memory_order_relaxed)
               : 0;
}

moat_status moat_monitor_stats(const moat_monitor *monitor, unsigned thread,
                               moat_sched_stats *out)
{
    const struct crew *crew;
    moat_sched_stats stats;
    unsigned threads = moat_monitor_threads(monitor);

    if (!is_monitor(monitor))
        return refuse_monitor(monitor);
    if (out == NULL)
        return refuse("out is NULL");
    crew = atomic_load(&monitor->crew);
    if (thread == MOAT_ALL_THREADS) {
        moat_counters_sum(crew != NULL ? crew->workers : NULL, threads, &stats);
    } else if (thread < threads) {
        moat_counters_sum(&crew->workers[thread], 1, &stats);
        stats.live = stats.fresh = stats.timers = 0;
    } else {
        return moat_error_note(MOAT_E_INVAL,
                               "thread is %u: the run has %u, or "
                               "MOAT_ALL_THREADS",
                               thread, threads);
    }
    return moat_sched_copy_out(out, &stats, sizeof stats, STATS_LEAST);
}

/* While the lock is held the run cannot end. */
static moat_status gather(moat_monitor *monitor, bool json, struct text *text)
{
    moat_status status = MOAT_E_STATE;

    (void)pthread_mutex_lock(&monitor->lock);
    if (monitor->run != NULL)
        status = moat_gather_dump(monitor->run->gather, json, text);
    (void)pthread_mutex_unlock(&monitor->lock);
    return status;
}

moat_status moat_monitor_dump(moat_monitor *monitor, int fd, bool json)
{
    moat_status status, written;
    struct text text;

    if (!is_monitor(monitor))
        return refuse_monitor(monitor);
    if (fd < 0)
        return refuse_value("fd is %d: no descriptor", (uint64_t)(int64_t)fd);
    if (moat_sched_worker != NULL || moat_co_current() != NULL)
        return MOAT_E_STATE;
    moat_sched_text_begin(&text);
    status = gather(monitor, json, &text);
    written = moat_sched_text_write(&text, fd);
    moat_sched_text_free(&text);
    return status != MOAT_OK ? status : written;
}
