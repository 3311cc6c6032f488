/*
 * holds.c: the locks that a task holds, which its end releases.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/holds.h"

void moat_hold_take(struct hold *hold, struct moat_task *task)
{
    hold->task = task;
    list_append(&task->holds, &hold->link);
}

void moat_hold_drop(struct hold *hold)
{
    hold->task = NULL;
    list_remove(&hold->link);
}

struct hold *moat_hold_find(const struct moat_task *task,
                            const struct moat_sync *object)
{
    for (struct link *at = task->holds.next; at != &task->holds;
         at = at->next) {
        struct hold *hold = LINKED(at, struct hold, link);

        if (hold->object == object)
            return hold;
    }
    return NULL;
}

bool moat_hold_ready(struct moat_task *task)
{
    if (task->spare_hold != NULL)
        return true;
    task->spare_hold = calloc(1, sizeof(struct hold));
    if (task->spare_hold == NULL)
        return false;
    list_init(&task->spare_hold->link);
    return true;
}

struct hold *
moat_hold_take_ready(struct moat_task *task, struct moat_sync *object,
                     void (*abandon)(struct worker *worker, struct hold *hold))
{
    struct hold *hold = task->spare_hold;

    task->spare_hold = NULL;
    hold->object = object;
    hold->abandon = abandon;
    moat_hold_take(hold, task);
    return hold;
}

void moat_hold_drop_own(struct hold *hold)
{
    struct moat_task *task = hold->task;

    moat_hold_drop(hold);
    if (task->spare_hold == NULL)
        task->spare_hold = hold;
    else
        free(hold);
}

void moat_holds_abandon(struct worker *worker, struct moat_task *task)
{
    while (!list_empty(&task->holds)) {
        struct hold *hold = LINKED(task->holds.prev, struct hold, link);

        hold->abandon(worker, hold);
    }
    free(task->spare_hold);
    task->spare_hold = NULL;
}
