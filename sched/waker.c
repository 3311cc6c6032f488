/*
 * waker.c: how something outside of a run wakes a task.
 *
 * A thread or a handler only sets a flag and rings the run's bells; a worker
 * finds out whose flag it is. So waking takes no lock and changes no queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "sched/bells.h"
#include "sched/io/job.h"
#include "sched/refuse.h"
#include "sched/wait.h"
#include "sched/waker.h"

#define WAKER_MAGIC 0x77616b65u

/* Bells that a late call may still ring. */
struct old {
    struct old *next;
    struct bells *bells;
};

struct moat_waker {
    uint32_t magic;
    _Atomic bool woken;
    _Atomic(struct bells *) bells; /* of the run last waited in  */
    struct old *old;               /* of runs before             */
    struct link waited;            /* among the run's, while one waits */
    struct link waiters;           /* one at most                */
};

void moat_wakers_look(struct worker *worker)
{
    struct link *wakers = &worker->run->wakers;
    struct link *at, *next;

    if (MOAT_LIKELY(!atomic_load_explicit(&worker->run->bells->alarm,
                                          memory_order_relaxed)))
        return;
    atomic_store(&worker->run->bells->alarm, false);
    moat_jobs_take(worker);
    for (at = wakers->next; at != wakers; at = next) {
        moat_waker *waker = LINKED(at, moat_waker, waited);

        next = at->next;
        if (atomic_exchange(&waker->woken, false)) {
            list_remove(&waker->waited);
            count(&worker->counters, COUNT_OUTSIDE_WAKES);
            moat_sched_wake(worker, first_of(&waker->waiters)->task, MOAT_OK);
        }
    }
}

/* Late calls may have read the old bells: they stay until the waker goes. */
static bool bind(const struct worker *worker, moat_waker *waker)
{
    struct bells *bells = atomic_load(&waker->bells);
    struct old *old;

    if (bells == worker->run->bells)
        return true;
    if (bells != NULL) {
        old = malloc(sizeof *old);
        if (old == NULL)
            return false;
        *old = (struct old){waker->old, bells};
        waker->old = old;
    }
    moat_bells_keep(worker->run->bells);
    atomic_store(&waker->bells, worker->run->bells);
    return true;
}

static enum verdict wait_for_waker(struct worker *worker,
                                   struct moat_task *task)
{
    moat_waker *waker = task->wish.other.object;
    enum verdict verdict;

    if (!list_empty(&waker->waiters))
        return answer(task, MOAT_E_STATE);
    if (!bind(worker, waker))
        return answer(task, MOAT_E_NOMEM);
    /* After the bells are set: a wake that did not see them has set this. */
    if (atomic_exchange(&waker->woken, false))
        return answer(task, MOAT_OK);
    verdict =
        moat_sched_wait(worker, task, &waker->waiters, task->deadline, waker);
    if (verdict == QUEUED && !list_empty(&waker->waiters))
        list_append(&worker->run->wakers, &waker->waited);
    return verdict;
}

/* The next task to wait may be one of another run, on another thread. */
static void stop_waiting(struct worker *worker, const void *object)
{
    moat_waker *waker = (moat_waker *)(uintptr_t)object;

    (void)worker;
    list_remove(&waker->waited);
}

static enum verdict create(struct worker *worker, struct moat_task *task)
{
    moat_waker *waker = calloc(1, sizeof *waker);

    (void)worker;
    if (waker == NULL)
        return answer(task, MOAT_E_NOMEM);
    waker->magic = WAKER_MAGIC;
    list_init(&waker->waited);
    list_init(&waker->waiters);
    task->wish.other.object = waker;
    return answer(task, MOAT_OK);
}

static enum verdict destroy(struct worker *worker, struct moat_task *task)
{
    moat_waker *waker = task->wish.other.object;

    (void)worker;
    if (!list_empty(&waker->waiters))
        return answer(task, MOAT_E_STATE);
    while (waker->old != NULL) {
        struct old *old = waker->old;

        waker->old = old->next;
        moat_bells_drop(old->bells);
        free(old);
    }
    moat_bells_drop(atomic_load(&waker->bells));
    waker->magic = 0;
    free(waker);
    return answer(task, MOAT_OK);
}

static const struct op waits = {.perform = wait_for_waker,
                                .words = "waits for waker",
                                .late = MOAT_E_TIMEOUT,
                                .from_outside = true,
                                .leaves = stop_waiting};
static const struct op creates = {.perform = create,
                                  .words = "creates a waker"};
static const struct op destroys = {.perform = destroy,
                                   .words = "destroys waker"};

static bool is_waker(const moat_waker *waker)
{
    return waker != NULL && waker->magic == WAKER_MAGIC;
}

/* Outside of a run there is no worker to ask. */
static moat_status ask_or_do(struct moat_task *task, struct moat_task *nobody,
                             const struct op *op)
{
    if (task != NULL)
        return ask(task, op);
    if (moat_sched_worker != NULL || moat_co_current() != NULL)
        return MOAT_E_STATE;
    (void)op->perform(NULL, nobody);
    return nobody->status;
}

moat_status moat_waker_create(moat_waker **out)
{
    struct moat_task nobody = {.magic = 0};
    struct moat_task *task = asker();
    struct moat_task *who = task != NULL ? task : &nobody;
    moat_status status;

    if (out == NULL)
        return refuse("out is NULL");
    status = ask_or_do(task, &nobody, &creates);
    if (status == MOAT_OK)
        *out = who->wish.other.object;
    return status;
}

moat_status moat_waker_wait(moat_waker *waker, uint64_t deadline)
{
    struct moat_task *task = asker();

    if (!is_waker(waker))
        return refuse_pointer("waker is %x: no waker", waker);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.other.object = waker;
    task->deadline = deadline;
    return ask(task, &waits);
}

void moat_waker_wake(moat_waker *waker)
{
    struct bells *bells;

    if (!is_waker(waker))
        return;
    atomic_store(&waker->woken, true);
    bells = atomic_load(&waker->bells);
    if (bells != NULL)
        moat_bells_alarm(bells);
}

void moat_waker_destroy(moat_waker *waker)
{
    struct moat_task nobody = {.magic = 0};
    struct moat_task *task = asker();
    struct moat_task *who = task != NULL ? task : &nobody;

    if (!is_waker(waker))
        return;
    who->wish.other.object = waker;
    (void)ask_or_do(task, &nobody, &destroys);
}
