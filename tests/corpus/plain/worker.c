/*
 * worker.c: a plain host, which makes a heap for each guest and does nothing
 * else about what the guest leaves. Linked with moat-malloc, or with it
 * preloaded, it shows what that library contains; without, what is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <moat/moat.h>

#include "corpus/case.h"
#include "corpus/job.h"
#include "corpus/judge.h"
#include "corpus/progress.h"
#include "corpus/soundness.h"
#include "injection.h"

#define MEMORY_BYTES ((uint64_t)256 << 20)
/* After this many repetitions, a new coroutine is created. */
#define RENEW_EVERY 16u
/* The deadline of a case that never ends is divided by this from the second
 * repetition on. */
#define SOONER 25u
/* Deadlines of wall-clock time, in those of CPU time: on a busy machine every
 * guest waits. */
#define PATIENCE 40u

static struct job *job;
static moat_co *guest;

static void renew(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    moat_co_destroy(guest);
    limits.resume_cpu_ns = job->limit_ms * UINT64_C(1000000);
    limits.wall_ns = PATIENCE * limits.resume_cpu_ns;
    limits.memory_bytes = MEMORY_BYTES;
    options.stack_bytes = job->stack_bytes;
    options.guard_bytes = job->guard_bytes;
    options.name = job->path;
    options.limits = &limits;
    if (moat_co_create(&guest, case_enter, &options) != MOAT_OK)
        progress_give_up("no coroutine", "");
}

static moat_event run_once(void)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    void *phase = case_phase(job->done, job->phases);

    progress_step("running");
    if (moat_co_resume(guest, phase, &event) != MOAT_OK)
        progress_give_up("resume refused", "");
    return event;
}

/* A lock that stays held is only named: that the host hangs then is what shall
 * be seen. */
static void note_lock(void)
{
    const char *function = NULL;

    if (moat_co_lock_function(guest, &function) != MOAT_OK || function == NULL)
        return;
    job->held_locks++;
    (void)snprintf(job->lock, sizeof job->lock, "%s", function);
}

static void reset(void)
{
    progress_step("resetting");
    if (moat_co_reset(guest) != MOAT_OK)
        progress_give_up("reset refused", "");
}

static void check_host(void)
{
    const char *failed = soundness_check(progress_step);

    if (failed != NULL)
        progress_give_up("fails: ", failed);
}

static bool is_right(enum verdict verdict)
{
    enum verdict wanted = injection_expected(job);

    return wanted == VERDICTS || verdict == wanted;
}

static void repeat_once(void)
{
    moat_event event;
    enum verdict verdict;
    struct footprint *due;

    injection_arm(job);
    event = run_once();
    verdict = judge_event(guest, &event);
    judge_note(job, guest, verdict, is_right(verdict));
    job->done++;
    if (verdict == VERDICT_DEADLINE && job->done == 1)
        job->limit_ms = (job->deadline_ms + SOONER - 1) / SOONER;
    note_lock();
    reset();
    check_host();
    due = footprint_due(job);
    if (due != NULL)
        footprint_measure(due);
    footprint_turn(job);
    if (job->done % RENEW_EVERY == 0 || job->done == 1)
        renew();
}

/* Runs the case without a fault of the host's. */
static bool run_well(void)
{
    moat_event event = run_once();
    bool well = event.kind == MOAT_EVENT_RETURN && event.value == NULL;

    reset();
    return well;
}

void worker_run(struct job *asked, const struct case_functions *linked)
{
    job = asked;
    progress_open(job);
    if (!soundness_open())
        progress_give_up("the worker cannot start", "");
    check_host();
    (void)case_load(job->path, linked);
    if (moat_engine_init(NULL) != MOAT_OK)
        progress_give_up("no engine", "");
    renew();
    injection_open(job, run_well);
    while (job->done < job->repetitions && !job_is_lost(job))
        repeat_once();
    case_teardown();
    progress_end(OUTCOME_DONE);
}
