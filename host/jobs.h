/*
 * jobs.h: scripts on worker threads, results in the order of the files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_JOBS_H
#define HOST_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <pthread.h>

#include "options.h"
#include "script.h"

struct jobs {
    const struct run_options *options;
    struct result *results; /* one per file                              */
    bool *done;             /* which of them are ready; the reader's own */
    atomic_size_t next;     /* the next file that nobody has taken       */
    int finished[2];        /* a pipe: the numbers of finished files     */
    int signals;            /* signalfd of SIGINT and SIGTERM            */
    pthread_t *threads;
    size_t thread_count;
};

/* Starts the threads; says on stderr what failed. Blocks SIGINT and SIGTERM:
 * from now on jobs_wait reports them. */
bool jobs_start(struct jobs *jobs, const struct run_options *options);

/* Waits until another file is finished; returns 0, or the number of the signal
 * that asks to stop. */
int jobs_wait(struct jobs *jobs);

/* Waits for the threads to end and frees everything. */
void jobs_end(struct jobs *jobs);

#endif
