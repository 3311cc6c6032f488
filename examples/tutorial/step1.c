/*
 * step1.c: a job on a coroutine (docs/tutorial.md).
 *
 * Shows: moat_co_create, moat_co_resume, moat_co_destroy.
 * Run: build/debug/examples/step1
 * Prints: the job and its result (expected/step1.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

#include "jobs.h"

struct job {
    const char *line;
    long result;
};

static void *guest(moat_co *self, void *input)
{
    struct job *job = input;

    (void)self;
    job->result = run_job(job->line);
    return job;
}

int main(void)
{
    struct job job = {"sum 3 4 5", 0};
    moat_event event;
    moat_status status;
    moat_co *co;

    status = moat_co_create(&co, guest, NULL);
    if (status == MOAT_OK)
        status = moat_co_resume(co, &job, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "step1: %s\n", moat_error_str(status));
        return 1;
    }
    printf("%s: %ld\n", job.line, job.result);
    moat_co_destroy(co);
    return 0;
}
