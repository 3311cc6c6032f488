/*
 * worker.c: the process that hosts one case: loads it, runs it on a coroutine,
 * puts back what it left, and looks whether the host still works.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job.h"

#include <alloca.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "intrude.h"
#include "memory.h"
#include "objects.h"
#include "residue.h"
#include "soundness.h"

/* The first frame moves by less than this, a phase per repetition. */
#define PHASE_BYTES 8192u
/* A coroutine serves so many repetitions, then another one does. */
#define RENEW_EVERY 16u
/* A case that never ends is cut so much earlier from its second repetition on:
 * what is to be seen, the first has shown. */
#define SOONER 25u
/* A guest that waits instead of working is cut after so many deadlines: many,
 * for on a busy machine all wait. */
#define PATIENCE 40u

static struct job *job;
static struct case_functions functions;
static moat_co *guest;

static void step(const char *name)
{
    (void)snprintf(job->step, sizeof(job->step), "%s", name);
    __atomic_add_fetch(&job->beat, 1, __ATOMIC_RELEASE);
}

/* Without exit handlers: what the guest left there is not to run. */
static _Noreturn void end(enum outcome outcome)
{
    job->outcome = outcome;
    for (;;)
        (void)syscall(SYS_exit_group, 0);
}

static _Noreturn void give_up(const char *why, const char *what)
{
    (void)snprintf(job->trouble, sizeof(job->trouble), "%s%s", why, what);
    end(OUTCOME_GIVEN_UP);
}

/* ---- The guest
 * ---------------------------------------------------------------
 */

/* The case's frames begin `input` bytes further down. */
static void *enter(moat_co *self, void *input)
{
    volatile char *skipped = alloca((size_t)(uintptr_t)input + 1);
    int result;

    (void)self;
    skipped[0] = 0;
    result = functions.run();
    skipped[0] = 1;
    return (void *)(intptr_t)result;
}

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
    options.flags = MOAT_CO_SCRUB_DISCARD; /* no tenant reads the last one's */
    options.limits = &limits;
    if (moat_co_create(&guest, enter, &options) != MOAT_OK)
        give_up("no coroutine", "");
}

static enum verdict verdict_of_trap(const moat_trap_info *trap)
{
    switch (trap->kind) {
    case MOAT_TRAP_STACK_OVERFLOW:
        return VERDICT_OVERFLOW;
    case MOAT_TRAP_NULL:
    case MOAT_TRAP_MEMORY:
    case MOAT_TRAP_EXEC:
    case MOAT_TRAP_ALIGNMENT:
    case MOAT_TRAP_BUS:
        return VERDICT_WILD;
    case MOAT_TRAP_ABORT:
        return VERDICT_ABORT;
    case MOAT_TRAP_DEADLINE:
        return VERDICT_DEADLINE;
    case MOAT_TRAP_ARITHMETIC:
        return VERDICT_ARITHMETIC;
    case MOAT_TRAP_ILLEGAL:
        return VERDICT_ILLEGAL;
    case MOAT_TRAP_RAISED:
        return trap->user_code == LEAVE_CODE ? VERDICT_EXIT : VERDICT_OTHER;
    default:
        return VERDICT_OTHER;
    }
}

static enum verdict verdict_of(const moat_event *event)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (event->kind == MOAT_EVENT_RETURN)
        return event->value == NULL ? VERDICT_RETURNED : VERDICT_ERROR;
    if (event->kind == MOAT_EVENT_PANIC)
        return VERDICT_EXCEPTION;
    if (moat_co_trap_info(guest, &trap) != MOAT_OK)
        return VERDICT_OTHER;
    return verdict_of_trap(&trap);
}

static bool is_expected(enum verdict verdict)
{
    if (job->expected == VERDICTS || verdict == job->expected)
        return true;
    /* What free does with a pointer that is no block's, the C library leaves to
     * chance: it aborts or faults. This host's always aborts. */
    return verdict == VERDICT_ABORT && memory_was_misused() &&
           job->expected == VERDICT_WILD;
}

static void note(enum verdict verdict)
{
    job->tally[verdict]++;
    if (is_expected(verdict))
        return;
    if (verdict == VERDICT_DEADLINE)
        job->late++;
    else
        job->wrong++;
    if (job->verbose && moat_co_get_state(guest) == MOAT_CO_TRAPPED)
        (void)!moat_co_print_report(guest, STDERR_FILENO);
}

static _Noreturn void replace(const char *reason, const char *what)
{
    (void)snprintf(job->replaced_for, sizeof(job->replaced_for), "%s%s", reason,
                   what);
    end(OUTCOME_REPLACE);
}

/* A lock that the guest has left held is the process', and there is no putting
 * it back: this one does no more than it must, and another takes over. */
static void respect_lock(void)
{
    const char *function = NULL;

    if (moat_co_lock_function(guest, &function) != MOAT_OK || function == NULL)
        return;
    job->held_locks++;
    replace("lock: ", function);
}

/* ---- After a run
 * -------------------------------------------------------------
 */

/* Everything the guest has is as it was before the run; else this process has
 * served. */
static void restore(void)
{
    const char *left;

    step("putting back");
    if (moat_co_reset(guest) != MOAT_OK)
        give_up("reset refused", "");
    left = residue_clear();
    objects_restore();
    memory_restore();
    if (left != NULL)
        replace("", left);
}

static void check_host(void)
{
    const char *failed = soundness_check(step);

    if (failed != NULL)
        give_up("fails: ", failed);
}

/* Pages are touched for the first time as long as new phases and new paths turn
 * up; of few repetitions that is long. */
static unsigned warm_up(void)
{
    unsigned tenth = job->repetitions / 10, half = job->repetitions / 2;
    unsigned least = job->phases > 100 ? job->phases : 100;

    if (tenth > least)
        return tenth;
    return least < half ? least : half;
}

/* The kernel maps more or less of the guest's heap around a page that is read;
 * without it the figures are exact. */
static void measure(void)
{
    struct footprint *out = NULL;

    if (job->done == warm_up())
        out = &job->warm;
    else if (job->done == job->repetitions)
        out = &job->end;
    if (out == NULL)
        return;
    memory_restore();
    footprint_measure(out);
}

static void repeat(void)
{
    uintptr_t phase = job->done % job->phases * PHASE_BYTES / job->phases;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    enum verdict verdict;

    step("running");
    if (moat_co_resume(guest, (void *)(phase & ~(uintptr_t)15), &event) !=
        MOAT_OK)
        give_up("resume refused", "");
    verdict = verdict_of(&event);
    note(verdict);
    job->done++;
    if (verdict == VERDICT_DEADLINE && job->done == 1)
        job->limit_ms = (job->deadline_ms + SOONER - 1) / SOONER;
    respect_lock();
    restore();
    check_host();
    measure();
    if (job->done % RENEW_EVERY == 0 || job->done == 1)
        renew();
}

/* ---- The whole
 * ---------------------------------------------------------------
 */

static void *load(void)
{
    void *handle = dlopen(job->path, RTLD_NOW | RTLD_GLOBAL);

    if (handle == NULL)
        give_up("does not load: ", dlerror());
    *(void **)&functions.setup = dlsym(handle, "hcase_setup");
    *(void **)&functions.run = dlsym(handle, "hcase_run");
    *(void **)&functions.teardown = dlsym(handle, "hcase_teardown");
    if (functions.setup == NULL || functions.run == NULL)
        give_up("no case: hcase_setup or hcase_run is missing", "");
    return handle;
}

/* The handle of the object that has the case in it. */
static void *prepare(const struct case_functions *linked)
{
    void *handle;

    memory_prepare(true);
    step("loading");
    if (linked != NULL) {
        functions = *linked;
        handle = dlopen(NULL, RTLD_NOW);
    } else {
        handle = load();
    }
    step("in its set-up");
    if (functions.setup(0) != 0)
        give_up("its set-up fails", "");
    memory_prepare(false);
    return handle;
}

void worker_run(struct job *asked, const struct case_functions *linked)
{
    void *handle;

    job = asked;
    step("starting");
    if (!objects_open() || !memory_open() || !soundness_open())
        give_up("the worker cannot start", "");
    check_host();
    handle = prepare(linked);
    check_host();
    /* After the set-up: over the handlers that it may have installed. */
    if (moat_engine_init(NULL) != MOAT_OK)
        give_up("no engine", "");
    renew();
    residue_keep();
    if (!objects_keep(handle) || !memory_keep())
        give_up("no memory to keep the guest's state in", "");
    while (job->done < job->repetitions && !job_is_lost(job))
        repeat();
    step("in its tear-down");
    if (functions.teardown != NULL)
        functions.teardown();
    end(OUTCOME_DONE);
}
