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
    /* Without restarts: one per file; NULL: not ready. */
    _Atomic(struct result *) *results;
    /* With restarts: one per file, and the results in the order in which the
     * runs ended. */
    struct restart *restarts;
    struct result *first, *last; /* under `lock`                         */
    size_t taken;                /* files of which no result will follow */
    atomic_size_t next;          /* the next file to be taken            */
    atomic_size_t left;          /* files that are not ready             */
    bool paced;          /* not the first jobs_wait                      */
    atomic_bool stopped; /* further results are discarded                */
    atomic_bool waiting; /* the main thread waits for a result           */
    int ready;           /* eventfd: wakes the main thread               */
    atomic_size_t held;  /* bytes of results that are not yet written    */
    pthread_mutex_t lock;
    pthread_cond_t room; /* `held` has become smaller                    */
    int signals;         /* signalfd of SIGINT and SIGTERM               */
    pthread_t *threads;
    size_t thread_count;
};

/* ---- For the workers ----------------------------------------------------- */

/* Takes the next file; false: there are no more. */
bool jobs_next(struct jobs *jobs, size_t *file);

/* Returns what is known of a script's runs; NULL: there are no restarts. */
struct restart *jobs_restart(struct jobs *jobs, size_t file);

/* Returns an empty result. Without memory it ends the process. */
struct result *jobs_new_result(struct jobs *jobs, size_t file);

/* Passes a result to the main thread. */
void jobs_finish(struct jobs *jobs, struct result *result);

/* Returns whether those that have not been written are small. If they are
 * large, for instance because the reader has stopped, a worker starts no
 * script; one that runs none waits. */
bool jobs_have_room(struct jobs *jobs);
void jobs_wait_for_room(struct jobs *jobs);

/* ---- For the main thread ------------------------------------------------- */

/* Starts the threads and blocks SIGINT and SIGTERM, which jobs_wait reports
 * from now on. Returns false after an error message. */
bool jobs_start(struct jobs *jobs, const struct run_options *options);

/* Returns the result that is written next, or NULL if it is not ready. Without
 * restarts they come in the order of the files. The caller frees it. */
struct result *jobs_take(struct jobs *jobs);

/* Frees a result that has been written. */
void jobs_free_result(struct jobs *jobs, struct result *result);

/* Has results that are not ready yet discarded. */
void jobs_stop(struct jobs *jobs);

/* Returns whether all results have been taken. */
bool jobs_are_done(const struct jobs *jobs);

/* For when the command ends before the scripts: after jobs_stop, and after
 * jobs_take has returned NULL. Returns false if all results of the file have
 * been taken. *result is one that was out of order; NULL: the script has not
 * ended. */
bool jobs_take_rest(struct jobs *jobs, size_t file, struct result **result);

/* Waits until a result may be ready. Returns 0, or the number of the signal
 * that ends the command. */
int jobs_wait(struct jobs *jobs);

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
