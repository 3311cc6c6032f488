/*
 * sync.c: the life of the objects that tasks wait at.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/sync.h"

static moat_status make(struct moat_sync **out, uint32_t magic, uint64_t count)
{
    struct moat_sync *object = calloc(1, sizeof *object);

    if (object == NULL)
        return MOAT_E_NOMEM;
    object->magic = magic;
    object->count = count;
    list_init(&object->waiters);
    list_init(&object->owner.link);
    object->owner.object = object;
    *out = object;
    return MOAT_OK;
}

void moat_sync_release(struct moat_sync *object)
{
    if (object->magic == 0 && object->users == 0)
        free(object);
}

bool moat_sync_bind(const struct worker *worker, struct moat_sync *object)
{
    if (object->run == worker->run)
        return true;
    if (!list_empty(&object->waiters) || object->owner.task != NULL ||
        object->users != 0)
        return false;
    object->run = worker->run;
    return true;
}

/* ---- The calls ---------------------------------------------------------- */

static enum verdict create(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *object = NULL;
    moat_status status =
        make(&object, task->wish.make.magic, task->wish.make.count);

    (void)worker;
    task->wish.make.object = object;
    return answer(task, status);
}

static enum verdict destroy(struct worker *worker, struct moat_task *task)
{
    struct moat_sync *object = asked_object(task);

    moat_sched_wake_all(worker, &object->waiters, MOAT_E_CLOSED);
    if (object->owner.task != NULL)
        moat_hold_drop(&object->owner);
    object->magic = 0;
    moat_sync_release(object);
    return answer(task, MOAT_OK);
}

static const struct op creates = {.perform = create,
                                  .words = "creates an object"};
static const struct op destroys = {.perform = destroy,
                                   .words = "destroys object"};

moat_status moat_sync_create(struct moat_sync **out, uint32_t magic,
                             uint64_t count)
{
    struct moat_task *task = asker();
    moat_status status;

    if (task == NULL)
        return moat_sched_worker != NULL || moat_co_current() != NULL
                   ? MOAT_E_STATE
                   : make(out, magic, count);
    task->wish.make.magic = magic;
    task->wish.make.count = count;
    status = ask(task, &creates);
    if (status == MOAT_OK)
        *out = task->wish.make.object;
    return status;
}

void moat_sync_destroy(struct moat_sync **object, uint32_t magic)
{
    struct moat_sync *what = *object;
    struct moat_task *task = asker();

    if (what == NULL || what->magic != magic)
        return;
    if (task == NULL &&
        (moat_sched_worker != NULL || moat_co_current() != NULL))
        return; /* a coroutine inside a task */
    /* A caller that is stopped from here on leaves no pointer to what is gone.
     */
    *object = NULL;
    if (task != NULL) {
        task->wish.other.object = what;
        (void)ask(task, &destroys);
    } else {
        what->magic = 0;
        moat_sync_release(what);
    }
}
