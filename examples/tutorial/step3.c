/*
 * step3.c: jobs with limits (docs/tutorial.md).
 *
 * Shows: moat_limits, moat_co_options, moat_trap_info.limit.
 * Run: build/debug/examples/step3
 * Prints: the result of each job, or what stopped it (expected/step3.txt).
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

    if (moat_co_trap_info(co, &trap) != MOAT_OK)
        return;
    printf("%s: %s", job->line, moat_trap_kind_str(trap.kind));
    if (trap.limit != MOAT_LIMIT_NONE)
        printf(" (%s, %d ms)", moat_limit_str(trap.limit),
               (int)(trap.limit_asked / MILLISECOND));
    printf("\n");
}

static int run(const char *line)
{
    struct job job = {line, 0};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 100 * MILLISECOND;
    options.limits = &limits;
    options.stack_bytes = 64 << 10;
    status = moat_co_create(&co, guest, &options);
    if (status == MOAT_OK)
        status = moat_co_resume(co, &job, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "step3: %s\n", moat_error_str(status));
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
    static const char *const lines[] = {"power 2 10", "power 2 -1",
                                        "fibonacci 20", "fibonacci -1"};
    int failed = 0;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        failed |= run(lines[i]);
    return failed;
}
