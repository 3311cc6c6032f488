/*
 * sched.c: a run, from its options to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "sched/ask.h"
#include "sched/bells.h"
#include "sched/clock.h"
#include "sched/group.h"
#include "sched/io/descriptors.h"
#include "sched/kinds.h"
#include "sched/life.h"
#include "sched/monitor.h"
#include "sched/opening.h"
#include "sched/quit.h"
#include "sched/refuse.h"
#include "sched/report.h"
#include "sched/seen.h"
#include "sched/structs.h"
#include "sched/turn.h"

#define MOST_THREADS 1024

#define STATS_LEAST   offsetof(moat_sched_stats, not_run)
#define OPTIONS_LEAST offsetof(moat_sched_options, monitor)

/* ---- The run ------------------------------------------------------------ */

/* Frees the handles that were never joined. */
static void release_handles(struct worker *worker)
{
    struct link *everyone = &worker->run->everyone;

    run_lock(worker->run);
    while (!list_empty(everyone)) {
        struct moat_task *task =
            LINKED(everyone->next, struct moat_task, everyone);

        moat_report_unseen(worker->run, task);
        moat_report_drop(worker->run, task);
        moat_life_free(worker, task);
    }
    run_unlock(worker->run);
}

/* The kind of tasks that are spawned without options. */
static moat_status read_kind(struct sched *run,
                             const moat_sched_options *options)
{
    struct asked_options asked;
    moat_status status = moat_kinds_read(&asked, options->task);

    run->kinds->slice_ns = options->slice_ns;
    run->kinds->many_threads = run->threads > 1;
    return status == MOAT_OK ? moat_kinds_set_ordinary(run->kinds, &asked)
                             : status;
}

static moat_status begin(struct worker *worker, moat_task_fn fn, void *arg)
{
    struct sched *run = worker->run;

    run->first =
        moat_life_begin(worker, &run->root, fn, arg, run->kinds->ordinary);
    if (run->first == NULL)
        return MOAT_E_NOMEM;
    run->first->detached = true;
    run->first->creator = 0;
    return MOAT_OK;
}

static void init(struct sched *run, const moat_sched_options *options)
{
    run->clock = options->clock;
    run->report_fd = options->report_fd == 0 ? 2 : options->report_fd;
    run->locked = run->threads > 1 || options->dump_signal != 0;
    run->watched = options->measure_times || options->trace_fd != 0;
    moat_group_init(&run->root, NULL, 0);
    list_init(&run->everyone);
    list_init(&run->fresh);
    list_init(&run->wakers);
    list_init(&run->starved);
    run->spare = -1;
    for (unsigned i = 0; i < run->threads; i++) {
        struct worker *worker = &run->workers[i];

        worker->run = run;
        worker->host.asks_slowly = true;
        worker->random = 0x9e3779b97f4a7c15u * (i + 1);
        if (run->clock == MOAT_CLOCK_REAL)
            worker->random ^= moat_clock_read(worker);
        worker->bell = &run->bells->bells[i];
        (void)moat_clock_read(worker);
    }
}

static void end(struct sched *run)
{
    for (unsigned i = 0; i < run->threads; i++)
        free(run->workers[i].host.room);
    moat_descriptors_free(run);
    moat_kinds_free(run->kinds);
    moat_timers_free(&run->timers);
    moat_pool_free(&run->pool);
}

/* ---- Threads ------------------------------------------------------------- */

static void *work(void *arg)
{
    moat_sched_worker = arg;
    moat_turns(arg);
    moat_sched_worker = NULL;
    return NULL;
}

/* Tasks may end or ask for room to the last: `live` counts down to 0. */
static moat_status work_all(struct sched *run)
{
    unsigned started = 1;
    int error = 0;

    run_lock(run);
    while (started < run->threads && error == 0) {
        struct worker *worker = &run->workers[started];

        error = pthread_create(&worker->thread, NULL, work, worker);
        started += error == 0;
    }
    if (error != 0)
        run->live = 0; /* nothing has started */
    run_unlock(run);
    if (error == 0)
        moat_turns(&run->workers[0]);
    for (unsigned i = 1; i < started; i++)
        (void)pthread_join(run->workers[i].thread, NULL);
    errno = error;
    return error == 0 ? MOAT_OK
                      : moat_error_note(MOAT_E_SYSTEM,
                                        "pthread_create has failed for thread "
                                        "%u of options->threads: %e",
                                        started, 0);
}

static moat_status make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error != 0)
        return MOAT_E_NOMEM;
    /* It is held for some instructions: a look or two saves a system call. */
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    error = pthread_mutex_init(lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return error == 0 ? MOAT_OK : MOAT_E_NOMEM;
}

static void copy_stats(const struct sched *run, moat_sched_stats *out)
{
    moat_sched_stats stats;

    moat_counters_sum(run->workers, run->threads, &stats);
    (void)moat_sched_copy_out(out, &stats, sizeof stats, STATS_LEAST);
}

/* The lock, the bells and the workers. */
static void leave(struct sched *run, const moat_sched_options *options)
{
    moat_monitor_leave(options->monitor, run);
    moat_bells_drop(run->bells);
    (void)pthread_mutex_destroy(&run->lock);
}

static moat_status enter(struct sched *run, const moat_sched_options *options)
{
    moat_status status = make_lock(&run->lock);

    if (status != MOAT_OK)
        return status;
    run->bells = moat_bells_create(run->threads);
    status = run->bells != NULL ? moat_monitor_enter(options->monitor, run)
                                : MOAT_E_NOMEM;
    if (status != MOAT_OK) {
        moat_bells_drop(run->bells);
        (void)pthread_mutex_destroy(&run->lock);
    }
    return status;
}

moat_status moat_opening_begin(struct sched *run,
                               const moat_sched_options *options)
{
    moat_status status;

    run->threads = options->threads == 0 ? 1 : options->threads;
    status = enter(run, options);
    if (status != MOAT_OK)
        return status;
    init(run, options);
    status = moat_seen_open(run, options);
    moat_sched_worker = &run->workers[0];
    if (status == MOAT_OK)
        status = read_kind(run, options);
    if (status != MOAT_OK)
        moat_opening_end(run, options, status);
    return status;
}

void moat_opening_end(struct sched *run, const moat_sched_options *options,
                      moat_status status)
{
    if (status == MOAT_OK)
        release_handles(&run->workers[0]);
    moat_sched_worker = NULL;
    if (status == MOAT_OK && options->stats != NULL)
        copy_stats(run, options->stats);
    if (status == MOAT_OK)
        moat_seen_write(run, options);
    moat_seen_close(run, options);
    end(run);
    leave(run, options);
}

static moat_status run_all(const moat_sched_options *options, moat_task_fn fn,
                           void *arg, moat_result *out)
{
    struct kinds kinds = {.first = NULL};
    struct sched run = {.kinds = &kinds, .out = out};
    moat_status status = moat_opening_begin(&run, options);

    if (status != MOAT_OK)
        return status;
    status = begin(&run.workers[0], fn, arg);
    if (status == MOAT_OK)
        status = work_all(&run);
    moat_opening_end(&run, options, status);
    return status;
}

static moat_status check(const moat_sched_options *options)
{
    if (options->clock != MOAT_CLOCK_REAL && options->clock != MOAT_CLOCK_TEST)
        return refuse_value("options->clock is %u: no moat_clock",
                            options->clock);
    if (options->threads > MOST_THREADS)
        return refuse_value("options->threads is %u: it must be at most 1024",
                            options->threads);
    if (options->stats != NULL && options->stats->struct_size < STATS_LEAST)
        return refuse_value("options->stats->struct_size is %u: set it to the "
                            "struct's sizeof, as its _INIT macro does",
                            options->stats->struct_size);
    if (!moat_quit_may_be(options->dump_signal))
        return refuse_value(
            "options->dump_signal is %u: it must be 0, SIGQUIT, "
            "SIGHUP, SIGUSR1 or SIGUSR2",
            (uint64_t)(int64_t)options->dump_signal);
    if (options->dump_signal != 0 && options->report_fd < 0)
        return refuse("options->report_fd is -1: dumps have nowhere to go");
    if (options->trace_fd < 0)
        return refuse_value("options->trace_fd is %d: it must be a descriptor, "
                            "or 0 for none",
                            (uint64_t)(int64_t)options->trace_fd);
    return MOAT_OK;
}

moat_status moat_opening_read(moat_sched_options *to,
                              const moat_sched_options *options)
{
    static const moat_sched_options defaults = MOAT_SCHED_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    *to = defaults;
    if (options != NULL)
        status = moat_sched_copy_in(to, sizeof *to, options, OPTIONS_LEAST);
    if (status == MOAT_OK)
        status = check(to);
    if (status != MOAT_OK)
        return status;
    return moat_sched_worker == NULL && moat_co_current() == NULL
               ? MOAT_OK
               : MOAT_E_STATE;
}

moat_status moat_sched_run(const moat_sched_options *options, moat_task_fn fn,
                           void *arg, moat_result *out)
{
    moat_sched_options copy;
    moat_status status;

    if (fn == NULL)
        return refuse("fn is NULL");
    status = moat_opening_read(&copy, options);
    return status == MOAT_OK ? run_all(&copy, fn, arg, out) : status;
}

/* ---- What it has done --------------------------------------------------- */

static enum verdict note_stats(struct worker *worker, struct moat_task *task)
{
    moat_counters_sum(worker->run->workers, worker->run->threads,
                      &worker->stats);
    return answer(task, MOAT_OK);
}

/* A part of a call: the task goes on at once, on the same thread. */
static const struct op notes = {
    .perform = note_stats, .words = "reads the statistics", .is_part = true};

/* A task that were stopped while it holds the run's lock would hold it for
 * ever. */
moat_status moat_sched_get_stats(moat_sched_stats *out)
{
    struct moat_task *task = asker();
    moat_status status;

    if (out == NULL)
        return refuse("out is NULL");
    if (task == NULL)
        return MOAT_E_STATE;
    status = ask(task, &notes);
    return status == MOAT_OK
               ? moat_sched_copy_out(out, &moat_sched_worker->stats,
                                     sizeof moat_sched_worker->stats,
                                     STATS_LEAST)
               : status;
}
