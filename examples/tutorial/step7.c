/*
 * step7.c: threads that take jobs from one queue (docs/tutorial.md).
 *
 * Shows: a worker per thread; what threads may share.
 * Run: build/debug/examples/step7
 * Prints: the result of each job, or what stopped it (expected/step7.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <moat/moat.h>

#include "jobs.h"

#define MILLISECOND ((uint64_t)1000 * 1000)
#define THREADS     4
#define JOBS        5

struct job {
    const char *line;
    long result;
    moat_trap_kind trap; /* MOAT_TRAP_NONE: the job has a result. */
};

static struct job jobs[JOBS] = {{.line = "sum 3 4 5"},
                                {.line = "mean"},
                                {.line = "port nowhere"},
                                {.line = "fibonacci -1"},
                                {.line = "fibonacci 20"}};
static atomic_int next_job;

static void *worker(moat_co *self, void *input)
{
    for (;;) {
        struct job *job = input;

        job->result = run_job(job->line);
        input = moat_co_yield(self, job);
    }
    return NULL;
}

static moat_status run(moat_co *co, struct job *job)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_status status = moat_co_resume(co, job, &event);

    if (status != MOAT_OK || event.kind != MOAT_EVENT_TRAP)
        return status;
    status = moat_co_trap_info(co, &trap);
    job->trap = trap.kind;
    return status == MOAT_OK ? moat_co_reset(co) : status;
}

static moat_status run_jobs(moat_co *co)
{
    moat_status status = MOAT_OK;
    int job;

    while (status == MOAT_OK && (job = atomic_fetch_add(&next_job, 1)) < JOBS)
        status = run(co, &jobs[job]);
    return status;
}

/* A thread creates, resumes and destroys coroutines of its own. */
static void *host(void *failed)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_status status;
    moat_co *co;

    limits.resume_cpu_ns = 100 * MILLISECOND;
    options.limits = &limits;
    status = moat_co_create(&co, worker, &options);
    if (status != MOAT_OK) {
        fprintf(stderr, "step7: %s\n", moat_error_str(status));
        return failed;
    }
    if (run_jobs(co) == MOAT_OK)
        failed = NULL;
    moat_co_destroy(co);
    return failed;
}

int main(void)
{
    pthread_t threads[THREADS];
    int failed = 0;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, host, jobs) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        void *result;

        pthread_join(threads[i], &result);
        failed |= result != NULL;
    }
    for (int i = 0; i < JOBS; i++)
        if (jobs[i].trap != MOAT_TRAP_NONE)
            printf("%s: %s\n", jobs[i].line, moat_trap_kind_str(jobs[i].trap));
        else
            printf("%s: %ld\n", jobs[i].line, jobs[i].result);
    return failed;
}
