/*
 * job.c: jobs, from a task to the pool and back.
 *
 * The worker and the pool's thread decide by one word who of them has the job
 * last, and frees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/io/job.h"
#include "sched/wait.h"

enum {
    JOB_WANTED,  /* its task waits                                       */
    JOB_LEFT,    /* its task has left: the thread drops it               */
    JOB_FINISHED /* it is among what is done, or will be: a worker, or the
                    last to have the bells, drops it                     */
};

static void drop_done(struct done *done)
{
    struct job *job = (struct job *)done;

    job->kind->drop(job);
}

enum verdict moat_job_start(struct worker *worker, struct moat_task *task,
                            struct job *job)
{
    enum verdict verdict;

    job->done.drop = drop_done;
    job->bells = worker->run->bells;
    atomic_init(&job->state, JOB_WANTED);
    list_init(&job->waiters);
    verdict = moat_sched_wait(worker, task, &job->waiters, task->deadline, job);
    if (list_empty(&job->waiters)) { /* it may not wait */
        job->kind->drop(job);
        return verdict;
    }
    moat_bells_keep(job->bells);
    if (!moat_threads_queue(job)) {
        moat_bells_drop(job->bells);
        moat_sched_wake(worker, task, MOAT_E_NOMEM);
        job->kind->drop(job);
    }
    return verdict;
}

void moat_job_leave(struct worker *worker, const void *object)
{
    struct job *job = (struct job *)(uintptr_t)object;
    int wanted = JOB_WANTED;

    (void)worker;
    (void)atomic_compare_exchange_strong(&job->state, &wanted, JOB_LEFT);
}

/* On a thread of the pool. The bells may be the last of a run that has ended.
 */
void moat_job_run(struct job *job)
{
    struct bells *bells = job->bells;
    int wanted = JOB_WANTED;

    job->kind->run(job);
    if (atomic_compare_exchange_strong(&job->state, &wanted, JOB_FINISHED))
        moat_bells_add(bells, &job->done);
    else
        job->kind->drop(job);
    moat_bells_drop(bells);
}

void moat_jobs_take(struct worker *worker)
{
    struct done *done = atomic_exchange(&worker->run->bells->all, NULL);

    while (done != NULL) {
        struct job *job = (struct job *)done;
        const struct waiter *waiter = first_of(&job->waiters);

        done = done->next;
        if (waiter != NULL) {
            job->kind->deliver(job, waiter->task);
            moat_sched_wake(worker, waiter->task, MOAT_OK);
        }
        job->kind->drop(job);
    }
}
