/*
 * step5.c: a worker that runs job after job (docs/tutorial.md).
 *
 * Shows: moat_co_yield, moat_co_reset.
 * Run: build/debug/examples/step5
 * Prints: the result of each job, or what stopped it (expected/step5.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

#include "jobs.h"

#define MILLISECOND ((uint64_t)1000 * 1000)

struct job {
    const char *line;
    long result;
};

/* Each yield passes a finished job to the host and returns the next one. */
static void *worker(moat_co *self, void *input)
{
    for (;;) {
        struct job *job = input;

        job->result = run_job(job->line);
        input = moat_co_yield(self, job);
    }
    return NULL;
}

static void print_trap(const moat_co *co, const struct job *job)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &trap) == MOAT_OK)
        printf("%s: %s, a new life\n", job->line,
               moat_trap_kind_str(trap.kind));
}

static moat_status run(moat_co *co, struct job *job)
{
    moat_event event;
    moat_status status = moat_co_resume(co, job, &event);

    if (status != MOAT_OK)
        return status;
    if (event.kind != MOAT_EVENT_TRAP) {
        printf("%s: %ld\n", job->line, job->result);
        return MOAT_OK;
    }
    print_trap(co, job);
    return moat_co_reset(co);
}

int main(void)
{
    struct job jobs[] = {{"sum 3 4 5", 0},
                         {"port host:80", 0},
                         {"port nowhere", 0},
                         {"fibonacci -1", 0},
                         {"fibonacci 20", 0}};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 100 * MILLISECOND;
    options.limits = &limits;
    status = moat_co_create(&co, worker, &options);
    if (status == MOAT_OK) {
        for (size_t i = 0; i < 5 && status == MOAT_OK; i++)
            status = run(co, &jobs[i]);
        moat_co_destroy(co);
    }
    if (status != MOAT_OK)
        fprintf(stderr, "step5: %s\n", moat_status_str(status));
    return status != MOAT_OK;
}
