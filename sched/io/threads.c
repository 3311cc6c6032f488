/*
 * threads.c: the threads that do jobs: one pool for the process, which grows to
 * a limit while jobs wait, and shrinks when there are none for a while.
 *
 * The threads are detached. A job that never ends keeps its thread, and the
 * process may end all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "sched/io/job.h"

#define MAX_THREADS  16
#define IDLE_SECONDS 10

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, *last;
    unsigned threads, idle, jobs; /* `jobs`: in the queue */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* ---- A thread ----------------------------------------------------------- */

static struct timespec idle_until(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    return until;
}

/* With the lock. NULL: there was none for a while. */
static struct job *take(void)
{
    struct timespec until = idle_until();
    struct job *job;
    int error = 0;

    pool.idle++;
    while (pool.first == NULL && error == 0)
        error = pthread_cond_clockwait(&pool.more, &pool.lock, CLOCK_MONOTONIC,
                                       &until);
    pool.idle--;
    job = pool.first;
    if (job != NULL) {
        pool.first = job->next;
        pool.jobs--;
    }
    return job;
}

static void *work(void *arg)
{
    struct job *job;

    (void)pthread_mutex_lock(&pool.lock);
    while ((job = take()) != NULL) {
        (void)pthread_mutex_unlock(&pool.lock);
        moat_job_run(job);
        (void)pthread_mutex_lock(&pool.lock);
    }
    pool.threads--;
    (void)pthread_mutex_unlock(&pool.lock);
    return arg;
}

/* The process' signals are for its own threads, except those of faults, for
 * which it may have handlers. With the lock. */
static bool add_thread(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                                 SIGILL,  SIGTRAP, SIGSYS};
    pthread_t thread;
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        (void)sigdelset(&all, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, work, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return false;
    (void)pthread_detach(thread);
    pool.threads++;
    return true;
}

/* ---- A fork: the child has no threads, and none of the jobs -------------- */

static void before_fork(void)
{
    (void)pthread_mutex_lock(&pool.lock);
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&pool.lock);
}

static void in_child(void)
{
    (void)pthread_mutex_init(&pool.lock, NULL);
    (void)pthread_cond_init(&pool.more, NULL);
    pool.first = NULL;
    pool.threads = pool.idle = pool.jobs = 0;
}

static void once(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- The queue ---------------------------------------------------------- */

bool moat_threads_queue(struct job *job)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    bool queued;

    (void)pthread_once(&prepared, once);
    job->next = NULL;
    (void)pthread_mutex_lock(&pool.lock);
    queued = pool.idle > pool.jobs ||
             (pool.threads < MAX_THREADS && add_thread()) || pool.threads != 0;
    if (queued) {
        if (pool.first == NULL)
            pool.first = job;
        else
            pool.last->next = job;
        pool.last = job;
        pool.jobs++;
        (void)pthread_cond_signal(&pool.more);
    }
    (void)pthread_mutex_unlock(&pool.lock);
    return queued;
}
