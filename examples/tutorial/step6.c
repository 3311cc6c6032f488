/*
 * step6.c: a pool of workers whose jobs take turns (docs/tutorial.md).
 *
 * Shows: moat_co_create_n, time slices, MOAT_EVENT_PREEMPT.
 * Run: build/debug/examples/step6
 * Prints: the jobs in the order in which they end (expected/step6.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>

#include <moat/moat.h>

#include "jobs.h"

#define MILLISECOND ((uint64_t)1000 * 1000)
#define WORKERS     3

struct job {
    const char *line;
    long result;
};

struct pool {
    moat_co *workers[WORKERS];
    struct job *running[WORKERS]; /* NULL: the worker is idle. */
    struct job *next, *end;       /* the jobs that wait */
};

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
        printf("%s: %s\n", job->line, moat_trap_kind_str(trap.kind));
}

/* Runs the worker's job for a slice. */
static moat_status run_slice(moat_co *co, struct job **job)
{
    moat_event event;
    moat_status status = moat_co_resume(co, *job, &event);

    if (status != MOAT_OK || event.kind == MOAT_EVENT_PREEMPT)
        return status;
    if (event.kind == MOAT_EVENT_TRAP) {
        print_trap(co, *job);
        status = moat_co_reset(co);
    } else {
        printf("%s: %ld\n", (*job)->line, (*job)->result);
    }
    *job = NULL;
    return status;
}

/* A slice for each worker. Sets *busy if one of them had a job. */
static moat_status run_round(struct pool *pool, bool *busy)
{
    moat_status status = MOAT_OK;

    *busy = false;
    for (int i = 0; i < WORKERS && status == MOAT_OK; i++) {
        if (pool->running[i] == NULL && pool->next < pool->end)
            pool->running[i] = pool->next++;
        if (pool->running[i] == NULL)
            continue;
        *busy = true;
        status = run_slice(pool->workers[i], &pool->running[i]);
    }
    return status;
}

static moat_status make_workers(struct pool *pool, size_t *made)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    limits.slice_ns = 5 * MILLISECOND;
    limits.total_cpu_ns = 500 * MILLISECOND;
    options.limits = &limits;
    return moat_co_create_n(pool->workers, worker, &options, NULL, WORKERS,
                            made);
}

int main(void)
{
    struct job jobs[] = {
        {"power 2 -1", 0},   {"fibonacci 36", 0}, {"sum 3 4 5", 0},
        {"port nowhere", 0}, {"mean 3 4 5", 0},
    };
    struct pool pool = {.next = jobs, .end = jobs + 5};
    bool busy = true;
    size_t made = 0;
    moat_status status = make_workers(&pool, &made);

    while (status == MOAT_OK && busy)
        status = run_round(&pool, &busy);
    for (size_t i = 0; i < made; i++)
        moat_co_destroy(pool.workers[i]);
    if (status != MOAT_OK)
        fprintf(stderr, "step6: %s\n", moat_status_str(status));
    return status != MOAT_OK;
}
