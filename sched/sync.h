/*
 * sync.h: objects that tasks wait at other than channels: mutexes, conditions,
 * rwlocks, semaphores, wait groups.
 *
 * The program has a struct with a pointer; the object itself is in memory of
 * the library, since the struct may lie on the stack of a task that traps while
 * others wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_SYNC_H
#define SCHED_SYNC_H

#include "sched/ask.h"
#include "sched/holds.h"
#include "sched/refuse.h"
#include "sched/wait.h"

#define MUTEX_MAGIC      0x6d757465u
#define COND_MAGIC       0x636f6e64u
#define RWLOCK_MAGIC     0x72776c6bu
#define SEMAPHORE_MAGIC  0x73656d61u
#define WAIT_GROUP_MAGIC 0x77616974u

struct moat_sync {
    uint32_t magic; /* 0: destroyed                                       */
    bool died;      /* the last owner has ended without unlocking         */
    /* The run that its waiters and owners belong to. */
    const struct sched *run;
    struct link waiters;
    uint64_t count; /* rwlock: readers; semaphore: permits; wait group: those
                       that are not done                                  */
    /* References, which keep its memory: a mutex has one for each task in a
     * condition that will lock it again, an rwlock one for each reader. */
    size_t users;
    struct hold owner; /* of a mutex; the writer of an rwlock             */
};

/* Makes an object, or destroys it: those who wait at it get MOAT_E_CLOSED. */
moat_status moat_sync_create(struct moat_sync **out, uint32_t magic,
                             uint64_t count);
void moat_sync_destroy(struct moat_sync **object, uint32_t magic);

/* Frees an object that is destroyed, if it has no references. */
void moat_sync_release(struct moat_sync *object);

/* Returns whether tasks of this run may wait at the object: no task of another
 * run waits at it or owns it. */
bool moat_sync_bind(const struct worker *worker, struct moat_sync *object);

/* Asks for an operation on an object. A bad pointer faults here, in the
 * caller. */
static inline moat_status sync_ask(struct moat_sync *object, uint32_t magic,
                                   const struct op *op, uintptr_t value,
                                   uint64_t deadline)
{
    struct moat_task *task = asker();

    if (object == NULL || object->magic != magic)
        return refuse_pointer("the object at %x is not initialised, or of "
                              "another kind",
                              object);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.other.object = object;
    task->wish.other.value = value;
    task->deadline = deadline;
    return ask(task, op);
}

static inline struct moat_sync *asked_object(const struct moat_task *task)
{
    return task->wish.other.object;
}

#endif
