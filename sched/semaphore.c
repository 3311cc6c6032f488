/*
 * semaphore.c: semaphores and wait groups: counters that tasks wait for. They
 * have no owners.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/refuse.h"
#include "sched/sync.h"

/* ---- Semaphores --------------------------------------------------------- */

static enum verdict acquire(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *semaphore = asked_object(task);

    if (is_host(task) || !moat_sync_bind(worker, semaphore))
        return answer(task, MOAT_E_STATE);
    if (semaphore->count == 0)
        return moat_sched_wait(worker, task, &semaphore->waiters,
                               task->deadline, semaphore);
    semaphore->count--;
    return answer(task, MOAT_OK);
}

static enum verdict release(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *semaphore = asked_object(task);
    struct waiter *first = first_of(&semaphore->waiters);

    if (!moat_sync_bind(worker, semaphore) || semaphore->count == UINT64_MAX)
        return answer(task, MOAT_E_STATE);
    if (first != NULL)
        moat_sched_wake(worker, first->task, MOAT_OK);
    else
        semaphore->count++;
    return answer(task, MOAT_OK);
}

static const struct op acquires = {
    .perform = acquire, .words = "acquires semaphore", .late = MOAT_E_TIMEOUT};
static const struct op releases = {.perform = release,
                                   .words = "releases semaphore"};

moat_status moat_semaphore_init(moat_semaphore *semaphore, uint64_t permits)
{
    if (semaphore == NULL)
        return refuse("semaphore is NULL");
    semaphore->state = NULL;
    return moat_sync_create(&semaphore->state, SEMAPHORE_MAGIC, permits);
}

moat_status moat_semaphore_acquire(moat_semaphore *semaphore, uint64_t deadline)
{
    return semaphore == NULL ? refuse("semaphore is NULL")
                             : sync_ask(semaphore->state, SEMAPHORE_MAGIC,
                                        &acquires, 0, deadline);
}

moat_status moat_semaphore_release(moat_semaphore *semaphore)
{
    return semaphore == NULL
               ? refuse("semaphore is NULL")
               : sync_ask(semaphore->state, SEMAPHORE_MAGIC, &releases, 0, 0);
}

void moat_semaphore_destroy(moat_semaphore *semaphore)
{
    if (semaphore != NULL)
        moat_sync_destroy(&semaphore->state, SEMAPHORE_MAGIC);
}

/* ---- Wait groups -------------------------------------------------------- */

static enum verdict add(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *group = asked_object(task);
    uint64_t count;

    (void)worker;
    if (__builtin_add_overflow(group->count, task->wish.other.value, &count))
        return answer(task, refuse_value("count is %u: too many for the group",
                                         task->wish.other.value));
    group->count = count;
    return answer(task, MOAT_OK);
}

static enum verdict done(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *group = asked_object(task);

    if (!moat_sync_bind(worker, group) || group->count == 0)
        return answer(task, MOAT_E_STATE);
    if (--group->count == 0)
        moat_sched_wake_all(worker, &group->waiters, MOAT_OK);
    return answer(task, MOAT_OK);
}

static enum verdict wait_for_all(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *group = asked_object(task);

    if (is_host(task) || !moat_sync_bind(worker, group))
        return answer(task, MOAT_E_STATE);
    if (group->count == 0)
        return answer(task, MOAT_OK);
    return moat_sched_wait(worker, task, &group->waiters, task->deadline,
                           group);
}

static const struct op adds = {.perform = add, .words = "adds to wait group"};
static const struct op counts_down = {.perform = done,
                                      .words = "counts wait group down"};
static const struct op waits = {.perform = wait_for_all,
                                .words = "waits for wait group",
                                .late = MOAT_E_TIMEOUT};

moat_status moat_wait_group_init(moat_wait_group *group)
{
    if (group == NULL)
        return refuse("group is NULL");
    group->state = NULL;
    return moat_sync_create(&group->state, WAIT_GROUP_MAGIC, 0);
}

moat_status moat_wait_group_add(moat_wait_group *group, size_t count)
{
    return group == NULL
               ? refuse("group is NULL")
               : sync_ask(group->state, WAIT_GROUP_MAGIC, &adds, count, 0);
}

moat_status moat_wait_group_done(moat_wait_group *group)
{
    return group == NULL
               ? refuse("group is NULL")
               : sync_ask(group->state, WAIT_GROUP_MAGIC, &counts_down, 0, 0);
}

moat_status moat_wait_group_wait(moat_wait_group *group, uint64_t deadline)
{
    return group == NULL
               ? refuse("group is NULL")
               : sync_ask(group->state, WAIT_GROUP_MAGIC, &waits, 0, deadline);
}

void moat_wait_group_destroy(moat_wait_group *group)
{
    if (group != NULL)
        moat_sync_destroy(&group->state, WAIT_GROUP_MAGIC);
}
