/*
 * worker.c: the process that hosts one case: it loads the case, runs it on a
 * coroutine, restores the state that the case changed, and checks whether the
 * host still works.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <moat/moat.h>

#include "case.h"
#include "judge.h"
#include "memory.h"
#include "objects.h"
#include "progress.h"
#include "residue.h"
#include "soundness.h"

/* After this many repetitions, a new coroutine is created. */
#define RENEW_EVERY 16u
/* From the second repetition on, the deadline of a case that never ends is
 * divided by this: the first repetition has shown everything. */
#define SOONER 25u
/* A guest that waits instead of working is stopped after so many deadlines of
 * wall-clock time. The number is large because on a busy machine every guest
 * waits. */
#define PATIENCE 40u

static struct job *job;
static moat_co *guest;

/* ---- The guest -------------------------------------------------------------
 */

static void renew(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    moat_co_destroy(guest);
    limits.resume_cpu_ns = job->limit_ms * UINT64_C(1000000);
    limits.wall_ns = PATIENCE * limits.resume_cpu_ns;
    options.stack_bytes = job->stack_bytes;
    options.guard_bytes = job->guard_bytes;
    options.name = job->path;
    options.flags = MOAT_CO_SCRUB_DISCARD; /* clears the last coroutine's
                                            * data */
    options.limits = &limits;
    if (moat_co_create(&guest, case_enter, &options) != MOAT_OK)
        progress_give_up("no coroutine", "");
}

static bool is_expected(enum verdict verdict)
{
    if (job->expected == VERDICTS || verdict == job->expected)
        return true;
    /* The C library may abort or fault if free gets a pointer that is not a
     * block's. This host always aborts. */
    return verdict == VERDICT_ABORT && memory_was_misused() &&
           job->expected == VERDICT_WILD;
}

static _Noreturn void replace(const char *reason, const char *what)
{
    (void)snprintf(job->replaced_for, sizeof(job->replaced_for), "%s%s", reason,
                   what);
    progress_end(OUTCOME_REPLACE);
}

/* A lock that the guest left held belongs to the process and cannot be
 * released: this process does no more than it must, and another one
 * continues. */
static void respect_lock(void)
{
    const char *function = NULL;

    if (moat_co_lock_function(guest, &function) != MOAT_OK || function == NULL)
        return;
    job->held_locks++;
    replace("lock: ", function);
}

/* ---- After a run -----------------------------------------------------------
 */

/* Restores all state of the guest. If that is impossible, this process ends and
 * is replaced. */
static void restore(void)
{
    const char *left;

    progress_step("putting back");
    if (moat_co_reset(guest) != MOAT_OK)
        progress_give_up("reset refused", "");
    left = residue_clear();
    objects_restore();
    memory_restore();
    if (left != NULL)
        replace("", left);
}

static void check_host(void)
{
    const char *failed = soundness_check(progress_step);

    if (failed != NULL)
        progress_give_up("fails: ", failed);
}

/* The kernel maps a varying number of the guest heap's pages around one that is
 * read. Restoring first makes the figures exact. */
static void measure(void)
{
    struct footprint *out = footprint_due(job);

    if (out == NULL)
        return;
    memory_restore();
    footprint_measure(out);
}

static void repeat_once(void)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    enum verdict verdict;

    progress_step("running");
    if (moat_co_resume(guest, case_phase(job->done, job->phases), &event) !=
        MOAT_OK)
        progress_give_up("resume refused", "");
    verdict = judge_event(guest, &event);
    judge_note(job, guest, verdict, is_expected(verdict));
    job->done++;
    if (verdict == VERDICT_DEADLINE && job->done == 1)
        job->limit_ms = (job->deadline_ms + SOONER - 1) / SOONER;
    respect_lock();
    restore();
    check_host();
    measure();
    footprint_turn(job);
    if (job->done % RENEW_EVERY == 0 || job->done == 1)
        renew();
}

/* ---- The whole case --------------------------------------------------------
 */

/* Returns the handle of the object that contains the case. */
static void *prepare(const struct case_functions *linked)
{
    void *handle;

    memory_prepare(true);
    handle = case_load(job->path, linked);
    memory_prepare(false);
    return handle;
}

void worker_run(struct job *asked, const struct case_functions *linked)
{
    void *handle;

    job = asked;
    progress_open(job);
    if (!objects_open() || !memory_open() || !soundness_open())
        progress_give_up("the worker cannot start", "");
    check_host();
    handle = prepare(linked);
    check_host();
    /* After the set-up, so that moat's handlers replace those that it
     * installed. */
    if (moat_engine_init(NULL) != MOAT_OK)
        progress_give_up("no engine", "");
    renew();
    residue_keep();
    if (!objects_keep(handle) || !memory_keep())
        progress_give_up("no memory to keep the guest's state in", "");
    while (job->done < job->repetitions && !job_is_lost(job))
        repeat_once();
    case_teardown();
    progress_end(OUTCOME_DONE);
}
