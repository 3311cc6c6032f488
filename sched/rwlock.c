/*
 * rwlock.c: locks with many readers or one writer, first come, first served: a
 * reader that comes after a waiting writer waits, too.
 *
 * Handing the lock over cannot fail: a reader takes the memory of its hold
 * before it waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/refuse.h"
#include "sched/sync.h"

static void abandon_write(struct worker *worker, struct hold *hold);
static void abandon_read(struct worker *worker, struct hold *hold);

/* The data may be half changed until a writer has repaired them: each lock
 * reports that, up to and including the next writer's. */
static moat_status take(struct moat_sync *lock, struct moat_task *task,
                        bool write)
{
    moat_status status = lock->died ? MOAT_E_OWNER_DIED : MOAT_OK;

    if (write) {
        lock->died = false;
        lock->owner.abandon = abandon_write;
        moat_hold_take(&lock->owner, task);
    } else {
        (void)moat_hold_take_ready(task, lock, abandon_read);
        lock->count++;
        lock->users++;
    }
    return status;
}

/* Lets in the first task of the queue if it writes, or the readers at its
 * front. */
static void let_in(struct worker *worker, struct moat_sync *lock)
{
    struct waiter *next;

    while ((next = first_of(&lock->waiters)) != NULL &&
           lock->owner.task == NULL && (!next->send || lock->count == 0)) {
        struct moat_task *task = next->task;

        moat_sched_wake(worker, task, take(lock, task, next->send));
    }
}

static void leave(struct worker *worker, struct hold *hold)
{
    struct moat_sync *lock = hold->object;

    if (hold == &lock->owner) {
        moat_hold_drop(hold);
    } else {
        moat_hold_drop_own(hold);
        lock->count--;
        lock->users--;
    }
    let_in(worker, lock);
    moat_sync_release(lock);
}

static void abandon_write(struct worker *worker, struct hold *hold)
{
    hold->object->died = true;
    leave(worker, hold);
}

/* A reader has changed nothing. */
static void abandon_read(struct worker *worker, struct hold *hold)
{
    leave(worker, hold);
}

/* ---- The calls ---------------------------------------------------------- */

static enum verdict enter(struct worker *worker, struct moat_task *task,
                          bool write)
{
    struct moat_sync *lock = asked_object(task);

    if (is_host(task) || !moat_sync_bind(worker, lock) ||
        moat_hold_find(task, lock) != NULL)
        return answer(task, MOAT_E_STATE);
    if (!write && !moat_hold_ready(task))
        return answer(task, MOAT_E_NOMEM);
    if (lock->owner.task == NULL && list_empty(&lock->waiters) &&
        (!write || lock->count == 0))
        return answer(task, take(lock, task, write));
    task->waiter.send = write;
    return moat_sched_wait(worker, task, &lock->waiters, task->deadline, lock);
}

/* A writer no longer waits: after it in the queue may be readers, which can
 * share the lock with those that have it. The object still exists, since its
 * destruction wakes all. */
static void stop_waiting(struct worker *worker, const void *object)
{
    let_in(worker, (struct moat_sync *)(uintptr_t)object);
}

static enum verdict enter_to_read(struct worker *worker, struct moat_task *task)
{
    return enter(worker, task, false);
}

static enum verdict enter_to_write(struct worker *worker,
                                   struct moat_task *task)
{
    return enter(worker, task, true);
}

static enum verdict unlock(struct worker *worker, struct moat_task *task)
{
    struct hold *hold =
        is_host(task) ? NULL : moat_hold_find(task, asked_object(task));

    if (hold == NULL)
        return answer(task, MOAT_E_STATE);
    leave(worker, hold);
    return answer(task, MOAT_OK);
}

static const struct op read_locks = {.perform = enter_to_read,
                                     .words = "locks rwlock to read",
                                     .late = MOAT_E_TIMEOUT};
static const struct op write_locks = {.perform = enter_to_write,
                                      .words = "locks rwlock to write",
                                      .late = MOAT_E_TIMEOUT,
                                      .leaves = stop_waiting};
static const struct op unlocks = {.perform = unlock, .words = "unlocks rwlock"};

moat_status moat_rwlock_init(moat_rwlock *lock)
{
    if (lock == NULL)
        return refuse("lock is NULL");
    lock->state = NULL;
    return moat_sync_create(&lock->state, RWLOCK_MAGIC, 0);
}

moat_status moat_rwlock_read_lock(moat_rwlock *lock, uint64_t deadline)
{
    return lock == NULL
               ? refuse("lock is NULL")
               : sync_ask(lock->state, RWLOCK_MAGIC, &read_locks, 0, deadline);
}

moat_status moat_rwlock_write_lock(moat_rwlock *lock, uint64_t deadline)
{
    return lock == NULL
               ? refuse("lock is NULL")
               : sync_ask(lock->state, RWLOCK_MAGIC, &write_locks, 0, deadline);
}

moat_status moat_rwlock_unlock(moat_rwlock *lock)
{
    return lock == NULL ? refuse("lock is NULL")
                        : sync_ask(lock->state, RWLOCK_MAGIC, &unlocks, 0, 0);
}

void moat_rwlock_destroy(moat_rwlock *lock)
{
    if (lock != NULL)
        moat_sync_destroy(&lock->state, RWLOCK_MAGIC);
}
