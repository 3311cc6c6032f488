/*
 * corpus.c: the runner: a job per case, the table, the exit status.
 *
 * SPDX-License-Identifier: MIT
 */
#include "corpus.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "job.h"
#include "options.h"
#include "table.h"

static struct job *map_job(void)
{
    void *job = mmap(NULL, sizeof(struct job), PROT_READ | PROT_WRITE,
                     MAP_SHARED, CORPUS_JOB_FD, 0);

    return job == MAP_FAILED ? NULL : job;
}

/* Workers find the job at a known descriptor. Returns NULL with errno set. */
static struct job *make_job(void)
{
    int fd = memfd_create("job", 0);

    if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct job)) != 0)
        return NULL;
    if (fd != CORPUS_JOB_FD) {
        if (dup2(fd, CORPUS_JOB_FD) < 0)
            return NULL;
        (void)close(fd);
    }
    return map_job();
}

static bool ask(struct job *job, const struct options *options,
                const char *word)
{
    memset(job, 0, sizeof(*job));
    job->stack_bytes = options->stack_bytes;
    job->guard_bytes = options->guard_bytes;
    job->repetitions = options->repetitions;
    job->phases = options->phases;
    job->deadline_ms = job->limit_ms = options->deadline_ms;
    job->hang_seconds = options->hang_seconds;
    job->verbose = options->verbose;
    return options_read_case(word, job);
}

static bool run_all(const struct options *options, struct job *job)
{
    bool hold = true;

    table_head();
    for (int i = 0; i < options->case_count; i++) {
        (void)ask(job, options, options->cases[i]);
        supervise(job);
        hold = table_add(job) && hold;
    }
    table_sum();
    return hold;
}

int corpus_main(int argc, char **argv, const struct case_functions *linked)
{
    struct options options;
    struct job *job;

    if (argc == 2 && strcmp(argv[1], CORPUS_WORKER) == 0) {
        job = map_job();
        if (job == NULL) {
            (void)fprintf(stderr, "corpus: " CORPUS_WORKER " without a job\n");
            return 2;
        }
        worker_run(job, linked);
    }
    switch (options_read(&options, argc, argv)) {
    case READING_RUN:
        break;
    case READING_HELP:
        return 0;
    default:
        return 2;
    }
    job = make_job();
    if (job == NULL) {
        perror("corpus: memory for a job");
        return 2;
    }
    for (int i = 0; i < options.case_count; i++) {
        if (!ask(job, &options, options.cases[i]))
            return 2;
    }
    return run_all(&options, job) ? 0 : 1;
}
