/*
 * cond.c: conditions. A wait unlocks its mutex and locks it again, however the
 * wait ends. If it is cancelled, the mutex is locked before the caller's
 * cleanup code runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/mutex.h"
#include "sched/refuse.h"

/* The state of a wait, in the frame of moat_cond_wait. */
struct round {
    struct moat_task *task;
    struct moat_sync *mutex; /* NULL: it is not locked again */
    moat_status locked;
};

static void lock_again(struct round *round)
{
    struct moat_sync *mutex = round->mutex;

    if (mutex == NULL)
        return;
    round->locked = moat_mutex_lock_again(mutex, round->task);
    round->mutex = NULL;
}

static enum verdict wait_for_signal(struct worker *worker,
                                    struct moat_task *task)
{
    struct moat_sync *cond = asked_object(task);
    struct moat_sync *mutex = (struct moat_sync *)task->wish.other.value;

    if (is_host(task) || !moat_sync_bind(worker, cond) ||
        mutex->owner.task != task)
        return answer(task, MOAT_E_STATE);
    if (!moat_mutex_leave(worker, mutex))
        return answer(task, MOAT_E_NOMEM);
    return moat_sched_wait(worker, task, &cond->waiters, task->deadline, cond);
}

static enum verdict signal_one(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *cond = asked_object(task);
    struct waiter *first = first_of(&cond->waiters);

    if (!moat_sync_bind(worker, cond))
        return answer(task, MOAT_E_STATE);
    if (first != NULL)
        moat_sched_wake(worker, first->task, MOAT_OK);
    return answer(task, MOAT_OK);
}

static enum verdict signal_all(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *cond = asked_object(task);

    if (!moat_sync_bind(worker, cond))
        return answer(task, MOAT_E_STATE);
    moat_sched_wake_all(worker, &cond->waiters, MOAT_OK);
    return answer(task, MOAT_OK);
}

static const struct op waits = {.perform = wait_for_signal,
                                .words = "waits for condition",
                                .late = MOAT_E_TIMEOUT};
static const struct op signals = {.perform = signal_one,
                                  .words = "signals condition"};
static const struct op broadcasts = {.perform = signal_all,
                                     .words = "signals condition"};

moat_status moat_cond_init(moat_cond *cond)
{
    if (cond == NULL)
        return refuse("cond is NULL");
    cond->state = NULL;
    return moat_sync_create(&cond->state, COND_MAGIC, 0);
}

moat_status moat_cond_wait(moat_cond *cond, moat_mutex *mutex,
                           uint64_t deadline)
{
    __attribute__((cleanup(lock_again))) struct round round = {asker(), NULL,
                                                               MOAT_OK};
    moat_status status;

    if (cond == NULL || mutex == NULL || mutex->state == NULL ||
        mutex->state->magic != MUTEX_MAGIC)
        return cond == NULL ? refuse("cond is NULL")
                            : refuse("mutex is NULL or not initialised");
    /* A wait that is cancelled ends here, by unwinding. */
    round.mutex = mutex->state;
    status = sync_ask(cond->state, COND_MAGIC, &waits, (uintptr_t)mutex->state,
                      deadline);
    if (status == MOAT_E_INVAL || status == MOAT_E_STATE) {
        round.mutex = NULL;
        return status;
    }
    lock_again(&round);
    return round.locked == MOAT_OK ? status : round.locked;
}

moat_status moat_cond_signal(moat_cond *cond)
{
    return cond == NULL ? refuse("cond is NULL")
                        : sync_ask(cond->state, COND_MAGIC, &signals, 0, 0);
}

moat_status moat_cond_broadcast(moat_cond *cond)
{
    return cond == NULL ? refuse("cond is NULL")
                        : sync_ask(cond->state, COND_MAGIC, &broadcasts, 0, 0);
}

void moat_cond_destroy(moat_cond *cond)
{
    if (cond != NULL)
        moat_sync_destroy(&cond->state, COND_MAGIC);
}
