/*
 * drive.c: a run whose thread belongs to a loop of the host's.
 *
 * A task that the host has spawned is joined by an entry that is no task, but
 * looks like one to what delivers results: it is waiting, and its home is a
 * worker that has no thread. When the task ends the entry is handed over to
 * that worker's queue, where the end of a round finds it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "sched/group.h"
#include "sched/io/descriptors.h"
#include "sched/io/poller.h"
#include "sched/kinds.h"
#include "sched/life.h"
#include "sched/opening.h"
#include "sched/refuse.h"
#include "sched/result.h"
#include "sched/trace.h"
#include "sched/turn.h"

struct moat_sched {
    struct sched run;
    struct kinds kinds;
    moat_sched_options options;
    bool busy;             /* in a round, or in a close          */
    struct worker mailbox; /* its queue: those whose task has ended */
};

struct joiner {
    struct moat_task entry; /* the first member */
    moat_end_fn ended;
    void *arg;
};

/* ---- Open ---------------------------------------------------------------- */

static moat_status check(const moat_sched_options *options)
{
    if (options->threads > 1)
        return refuse_value("options->threads is %u: a run that its host "
                            "drives has one",
                            options->threads);
    if (options->clock != MOAT_CLOCK_REAL)
        return refuse("options->clock is MOAT_CLOCK_TEST: a run that its host "
                      "drives has the clock of the host's loop");
    return MOAT_OK;
}

static moat_status note_failure(int error)
{
    errno = error;
    return error == ENOMEM
               ? MOAT_E_NOMEM
               : moat_error_note(MOAT_E_SYSTEM,
                                 "the run's descriptor cannot be made: %e", 0,
                                 0);
}

static moat_status open_run(moat_sched *sched)
{
    struct worker *worker;
    moat_status status;
    int error;

    sched->run.kinds = &sched->kinds;
    status = moat_opening_begin(&sched->run, &sched->options);
    if (status != MOAT_OK)
        return status;
    worker = moat_sched_worker; /* from now on */
    error = moat_descriptors_open(worker);
    if (error != 0) {
        moat_opening_end(&sched->run, &sched->options, MOAT_E_NOMEM);
        return note_failure(error);
    }
    sched->run.driven = true;
    (void)moat_bell_begin_polling(worker->bell);
    return MOAT_OK;
}

moat_status moat_sched_open(const moat_sched_options *options, moat_sched **out)
{
    moat_sched_options copy;
    moat_status status;
    moat_sched *sched;

    if (out == NULL)
        return refuse("out is NULL");
    status = moat_opening_read(&copy, options);
    if (status == MOAT_OK)
        status = check(&copy);
    if (status != MOAT_OK)
        return status;
    sched = calloc(1, sizeof *sched);
    if (sched == NULL)
        return MOAT_E_NOMEM;
    sched->options = copy;
    status = open_run(sched);
    if (status == MOAT_OK)
        *out = sched;
    else
        free(sched);
    return status;
}

int moat_sched_fd(const moat_sched *sched)
{
    return sched == NULL ? -1
                         : moat_poller_descriptor(sched->run.workers[0].poller);
}

size_t moat_sched_live(const moat_sched *sched)
{
    return sched == NULL ? 0 : sched->run.live;
}

/* ---- Spawn --------------------------------------------------------------- */

/* Returns whether the caller is the host: on its thread, in no task. */
static bool is_hosts(const moat_sched *sched)
{
    const struct worker *worker = moat_sched_worker;

    return worker != NULL && worker->run == &sched->run &&
           worker->running == NULL && moat_co_current() == NULL;
}

static struct joiner *make_joiner(moat_sched *sched, moat_end_fn ended,
                                  void *arg)
{
    struct joiner *joiner = calloc(1, sizeof *joiner);

    if (joiner == NULL)
        return NULL;
    joiner->ended = ended;
    joiner->arg = arg;
    joiner->entry.home = &sched->mailbox;
    joiner->entry.state = TASK_WAITING;
    joiner->entry.waiters = &joiner->entry.waiter;
    joiner->entry.waiter_count = 1;
    joiner->entry.waiter.task = &joiner->entry;
    return joiner;
}

/* With the run's lock. `joiner`: NULL: nothing is told of the end. */
static struct moat_task *begin(moat_sched *sched, struct kind *kind,
                               moat_task_fn fn, void *arg,
                               struct joiner *joiner)
{
    struct worker *worker = moat_sched_worker;
    struct moat_task *task =
        moat_life_begin(worker, &sched->run.root, fn, arg, kind);

    if (task == NULL)
        return NULL;
    task->detached = joiner == NULL;
    if (joiner != NULL)
        list_append(&task->joiners, &joiner->entry.waiter.link);
    if (worker->trace != NULL)
        moat_events_spawn(worker, task);
    moat_bell_ring(worker->bell);
    return task;
}

static moat_status find_kind(moat_sched *sched,
                             const moat_task_options *options,
                             struct kind **out)
{
    struct asked_options asked;
    moat_status status;

    *out = sched->kinds.ordinary;
    if (options == NULL)
        return MOAT_OK;
    status = moat_kinds_read(&asked, options);
    return status == MOAT_OK ? moat_kinds_find(&sched->kinds, &asked, out)
                             : status;
}

static moat_status spawn(moat_sched *sched, struct kind *kind, moat_task_fn fn,
                         void *arg, moat_end_fn ended, moat_task **out,
                         uintptr_t creator)
{
    struct joiner *joiner =
        ended != NULL ? make_joiner(sched, ended, arg) : NULL;
    struct moat_task *task = NULL;

    if (joiner != NULL || ended == NULL) {
        run_lock(&sched->run);
        task = begin(sched, kind, fn, arg, joiner);
        if (task != NULL)
            task->creator = creator;
        run_unlock(&sched->run);
    }
    if (task == NULL) {
        free(joiner);
        return MOAT_E_NOMEM;
    }
    if (out != NULL)
        *out = task;
    return MOAT_OK;
}

moat_status moat_sched_spawn(moat_sched *sched, moat_task_fn fn, void *arg,
                             const moat_task_options *options,
                             moat_end_fn ended, moat_task **out)
{
    uintptr_t creator = (uintptr_t)__builtin_return_address(0);
    moat_status status;
    struct kind *kind;

    if (sched == NULL || fn == NULL)
        return refuse(sched == NULL ? "sched is NULL" : "fn is NULL");
    if (out != NULL && ended == NULL)
        return refuse("out is set, and ended is NULL: the handle's end would "
                      "not be known");
    if (!is_hosts(sched))
        return MOAT_E_STATE;
    if (sched->run.root.cancelled)
        return MOAT_E_CANCELLED;
    status = find_kind(sched, options, &kind);
    return status == MOAT_OK ? spawn(sched, kind, fn, arg, ended, out, creator)
                             : status;
}

/* ---- Rounds -------------------------------------------------------------- */

/* Calls the functions of those whose task has ended. */
static void tell_ends(moat_sched *sched)
{
    struct moat_task *entry;

    while ((entry = queue_take(&sched->mailbox.ready)) != NULL) {
        struct joiner *joiner = (struct joiner *)entry;
        moat_result result;

        result_show(&result, &entry->result);
        joiner->ended(joiner->arg, &result);
        free(joiner);
    }
}

moat_status moat_sched_round(moat_sched *sched, uint64_t *next)
{
    struct worker *worker;

    if (sched == NULL || next == NULL)
        return refuse(sched == NULL ? "sched is NULL" : "next is NULL");
    if (!is_hosts(sched) || sched->busy)
        return MOAT_E_STATE;
    worker = &sched->run.workers[0];
    sched->busy = true;
    moat_bell_end_polling(worker->bell);
    moat_bell_silence(worker->bell);
    moat_turns_round(worker);
    tell_ends(sched);
    sched->busy = false;
    /* From here on a bell makes the descriptor readable. */
    *next = moat_bell_begin_polling(worker->bell) || can_run(worker)
                ? 0
                : moat_timers_next(&sched->run.timers);
    return MOAT_OK;
}

moat_status moat_sched_close(moat_sched *sched)
{
    struct worker *worker;

    if (sched == NULL)
        return MOAT_OK;
    if (!is_hosts(sched) || sched->busy)
        return MOAT_E_STATE;
    worker = &sched->run.workers[0];
    sched->busy = true;
    sched->run.driven = false; /* it sleeps by itself now */
    moat_bell_end_polling(worker->bell);
    run_lock(&sched->run);
    moat_group_cancel_members(worker, &sched->run.root);
    run_unlock(&sched->run);
    moat_turns(worker);
    tell_ends(sched);
    moat_opening_end(&sched->run, &sched->options, MOAT_OK);
    free(sched);
    return MOAT_OK;
}
