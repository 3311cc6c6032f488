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
    _Atomic(struct result *) *results; /* one per file; NULL: not ready    */
    atomic_size_t next;                /* the next file to be taken        */
    atomic_size_t left;                /* files that are not ready         */
    atomic_bool waiting;               /* the main thread waits for a file */
    int ready;                         /* eventfd: wakes the main thread   */
    atomic_size_t held;   /* bytes of results that are not yet written    */
    pthread_mutex_t lock; /* for `room`                                   */
    pthread_cond_t room;  /* `held` has become smaller                    */
    int signals;          /* signalfd of SIGINT and SIGTERM   */
    pthread_t *threads;
    size_t thread_count;
};

/* Starts the threads and blocks SIGINT and SIGTERM, which jobs_wait reports
 * from now on. Returns false after an error message. */
bool jobs_start(struct jobs *jobs, const struct run_options *options);

/* Returns the result of a file; NULL if it is not ready. */
const struct result *jobs_result(struct jobs *jobs, size_t file);

/* Frees a result that has been written. Workers wait while those that have not
 * are large, for instance because the reader has stopped. */
void jobs_free_result(struct jobs *jobs, size_t file);

/* Waits until a file's result may be ready. Returns 0, or the number of the
 * signal that ends the command. */
int jobs_wait(struct jobs *jobs, size_t file);

/* Between these two the main thread writes output, whose reader may have
 * stopped. A signal that comes meanwhile is reported by the next jobs_wait; if
 * writing takes a second more, or another one comes, the process ends at once,
 * with that signal's status. `signo`: one that jobs_wait has reported; 0: none.
 */
void jobs_begin_writing(int signo);
void jobs_end_writing(void);

/* Waits for the threads to end and frees everything. */
void jobs_end(struct jobs *jobs);

#endif
