/*
 * step4.c: jobs whose crashes are logged and reported (docs/tutorial.md).
 *
 * Shows: moat_co_format_report, moat_co_print_report, names of coroutines.
 * Run: build/debug/examples/step4
 * Prints: a line about each job, and one report (expected/step4.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* One line for the log. A longer one is truncated, and ends with dots. */
static void log_trap(const moat_co *co)
{
    char line[300];

    if (moat_co_format_report(co, MOAT_REPORT_LINE, line, sizeof line, NULL) ==
        MOAT_E_FULL)
        strcpy(line + sizeof line - 4, "...");
    printf("%s\n", line);
}

/* The whole report, for the author of the library. */
static void report(const moat_co *co)
{
    moat_status status;

    fflush(stdout);
    status = moat_co_print_report(co, STDOUT_FILENO);
    if (status != MOAT_OK)
        fprintf(stderr, "step4: %s\n", moat_error_str(status));
}

static int run(const char *line, void (*trapped)(const moat_co *))
{
    struct job job = {line, 0};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 100 * MILLISECOND;
    options.limits = &limits;
    options.name = line;
    status = moat_co_create(&co, guest, &options);
    if (status == MOAT_OK)
        status = moat_co_resume(co, &job, &event);
    if (status != MOAT_OK) {
        fprintf(stderr, "step4: %s\n", moat_error_str(status));
        return 1;
    }
    if (event.kind == MOAT_EVENT_TRAP)
        trapped(co);
    else
        printf("%s: %ld\n", job.line, job.result);
    moat_co_destroy(co);
    return 0;
}

int main(void)
{
    int failed = 0;

    failed |= run("sum 3 4 5", log_trap);
    failed |= run("mean", log_trap);
    failed |= run("power 2 -1", log_trap);
    failed |= run("port nowhere", report);
    return failed;
}
