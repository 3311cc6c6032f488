/*
 * mutex.c: mutexes. An unlock hands the mutex to the task that has waited
 * longest, so none overtakes another. If the owner ends, the next one gets the
 * mutex with MOAT_E_OWNER_DIED.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/mutex.h"
#include "sched/refuse.h"

/* Makes the task the owner. Returns what its lock reports. */
static moat_status take(struct moat_sync *mutex, struct moat_task *task)
{
    moat_status status = mutex->died ? MOAT_E_OWNER_DIED : MOAT_OK;

    mutex->died = false;
    moat_hold_take(&mutex->owner, task);
    return status;
}

static void pass_on(struct worker *worker, struct moat_sync *mutex)
{
    struct waiter *next = first_of(&mutex->waiters);

    moat_hold_drop(&mutex->owner);
    if (next != NULL) {
        struct moat_task *task = next->task;

        moat_sched_wake(worker, task, take(mutex, task));
    }
}

static void abandon(struct worker *worker, struct hold *hold)
{
    hold->object->died = true;
    pass_on(worker, hold->object);
}

static enum verdict lock(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *mutex = asked_object(task);

    if (is_host(task) || !moat_sync_bind(worker, mutex) ||
        mutex->owner.task == task)
        return answer(task, MOAT_E_STATE);
    mutex->owner.abandon = abandon;
    if (mutex->owner.task == NULL)
        return answer(task, take(mutex, task));
    return moat_sched_wait(worker, task, &mutex->waiters, task->deadline,
                           mutex);
}

static enum verdict unlock(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *mutex = asked_object(task);

    if (mutex->owner.task != task)
        return answer(task, MOAT_E_STATE);
    pass_on(worker, mutex);
    return answer(task, MOAT_OK);
}

/* ---- In conditions ------------------------------------------------------ */

static void abandon_use(struct worker *worker, struct hold *hold)
{
    struct moat_sync *mutex = hold->object;

    (void)worker;
    moat_hold_drop_own(hold);
    mutex->users--;
    moat_sync_release(mutex);
}

bool moat_mutex_leave(struct worker *worker, struct moat_sync *mutex)
{
    struct moat_task *task = mutex->owner.task;

    if (!moat_hold_ready(task))
        return false;
    (void)moat_hold_take_ready(task, mutex, abandon_use);
    mutex->users++;
    pass_on(worker, mutex);
    return true;
}

/* The mutex may have been destroyed meanwhile. */
static enum verdict lock_again(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *mutex = asked_object(task);

    if (mutex->magic == 0)
        return answer(task, MOAT_E_CLOSED);
    /* It was handed over, and the wait ended otherwise all the same. */
    if (mutex->owner.task == task)
        return answer(task, MOAT_OK);
    return lock(worker, task);
}

/* The hold of its use was taken before that of the lock. */
static enum verdict end_use(struct worker *worker, struct moat_task *task)
{
    struct hold *hold = moat_hold_find(task, asked_object(task));

    if (hold != NULL && hold->abandon == abandon_use)
        abandon_use(worker, hold);
    return answer(task, MOAT_OK);
}

/* ---- The calls ---------------------------------------------------------- */

static const struct op locks = {
    .perform = lock, .words = "locks mutex", .late = MOAT_E_TIMEOUT};
static const struct op unlocks = {.perform = unlock, .words = "unlocks mutex"};
static const struct op locks_again = {.perform = lock_again,
                                      .words = "locks mutex again",
                                      .to_the_end = true,
                                      .may_be_stuck = true};
static const struct op ends_use = {
    .perform = end_use, .words = "leaves a condition", .to_the_end = true};

moat_status moat_mutex_lock_again(struct moat_sync *mutex,
                                  struct moat_task *task)
{
    moat_status status;

    task->wish.other.object = mutex;
    task->deadline = MOAT_NO_DEADLINE;
    status = ask(task, &locks_again);
    task->wish.other.object = mutex;
    (void)ask(task, &ends_use);
    return status;
}

moat_status moat_mutex_init(moat_mutex *mutex)
{
    if (mutex == NULL)
        return refuse("mutex is NULL");
    mutex->state = NULL;
    return moat_sync_create(&mutex->state, MUTEX_MAGIC, 0);
}

moat_status moat_mutex_lock(moat_mutex *mutex, uint64_t deadline)
{
    return mutex == NULL
               ? refuse("mutex is NULL")
               : sync_ask(mutex->state, MUTEX_MAGIC, &locks, 0, deadline);
}

moat_status moat_mutex_unlock(moat_mutex *mutex)
{
    return mutex == NULL ? refuse("mutex is NULL")
                         : sync_ask(mutex->state, MUTEX_MAGIC, &unlocks, 0, 0);
}

void moat_mutex_destroy(moat_mutex *mutex)
{
    if (mutex != NULL)
        moat_sync_destroy(&mutex->state, MUTEX_MAGIC);
}
