/*
 * step2.c: jobs that crash (docs/tutorial.md).
 *
 * Shows: MOAT_EVENT_TRAP, moat_co_trap_info.
 * Run: build/debug/examples/step2
 * Prints: the result of each job, or what stopped it (expected/step2.txt).
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

static void print_trap(const moat_co *co, const struct job *job)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &trap) == MOAT_OK)
        printf("%s: %s\n", job->line, moat_trap_kind_str(trap.kind));
}

static int run(const char *line)
{
    struct job job = {line, 0};
    moat_event event;
    moat_status status;
    moat_co *co;

    status = moat_co_create(&co, guest, NULL);
    if (status == MOAT_OK)
        status = moat_co_resume(co, &job, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "step2: %s\n", moat_error_str(status));
        return 1;
    }
    if (event.kind == MOAT_EVENT_TRAP)
        print_trap(co, &job);
    else
        printf("%s: %ld\n", job.line, job.result);
    moat_co_destroy(co);
    return 0;
}

int main(void)
{
    static const char *const lines[] = {"sum 3 4 5", "mean", "port nowhere",
                                        "fibonacci -1", "mean 3 4 5"};
    int failed = 0;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        failed |= run(lines[i]);
    return failed;
}
