/*
 * job.h: work for the threads of the process' pool, for a task that waits.
 *
 * A job is in memory of its own, to which no task has a pointer. If its task
 * leaves, by a deadline or a cancellation, the job goes on, and its memory goes
 * with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_JOB_H
#define SCHED_IO_JOB_H

#include <stdatomic.h>

#include "sched/ask.h"
#include "sched/bells.h"

struct job;

struct job_kind {
    void (*run)(struct job *job); /* on a thread of the pool               */
    /* By the worker, if the task still waits: its answer. */
    void (*deliver)(struct job *job, struct moat_task *task);
    void (*drop)(struct job *job); /* frees it                              */
};

struct job {
    struct done done; /* the first member: among what is done, later */
    struct job *next; /* in the pool's queue */
    const struct job_kind *kind;
    struct bells *bells; /* of the run */
    _Atomic int state;   /* of job.c   */
    struct link waiters; /* its task; nothing once that has left */
};

/* Queues a job, and lets the task wait for it until task->deadline. The job
 * belongs to the pool, and is dropped if it cannot be queued. The verdict is
 * that of moat_sched_wait. */
enum verdict moat_job_start(struct worker *worker, struct moat_task *task,
                            struct job *job);
/* For struct op.leaves: the task does not wait for the job `object` any more.
 */
void moat_job_leave(struct worker *worker, const void *object);
/* Hands what is done to the tasks that wait. */
void moat_jobs_take(struct worker *worker);

/* Queues a job for a thread of the pool. Returns false if there is no thread
 * and none can be made. */
bool moat_threads_queue(struct job *job);
/* Called by a thread of the pool. */
void moat_job_run(struct job *job);

#endif
