/*
 * children.c: the children of supervisors and their tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/group.h"
#include "sched/life.h"
#include "sched/supervisor.h"
#include "sched/wait.h"

/* ---- All of them -------------------------------------------------------- */

void moat_supervisor_wake(struct worker *worker,
                          struct moat_supervisor *supervisor)
{
    struct waiter *waiter = first_of(&supervisor->idle);

    if (waiter != NULL)
        moat_sched_wake(worker, waiter->task, MOAT_OK);
}

void moat_supervisor_finish(struct moat_supervisor *supervisor,
                            moat_status outcome)
{
    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    supervisor->outcome = outcome;
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next)
        LINKED(at, struct child, sibling)->must_stop =
            LINKED(at, struct child, sibling)->up;
}

void moat_supervisor_dismiss(struct moat_supervisor *supervisor)
{
    list_remove(&supervisor->anchor.opened);
    supervisor->task = NULL;
    supervisor->acting = NULL;
}

/* ---- The life of a child ------------------------------------------------ */

struct child *moat_child_find(const struct moat_supervisor *supervisor,
                              moat_child_id id)
{
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next) {
        struct child *child = LINKED(at, struct child, sibling);

        if (child->id == id)
            return child;
    }
    return NULL;
}

struct child *moat_child_make(struct moat_supervisor *supervisor,
                              const struct asked_child *spec)
{
    unsigned open = supervisor->options.flags & MOAT_SUPERVISOR_FAIL_OPEN;
    size_t times = open ? supervisor->options.intensity : 0;
    struct child *child =
        calloc(1, sizeof *child + times * sizeof child->times[0]);

    if (child == NULL)
        return NULL;
    moat_group_init(&child->group, NULL, 0);
    child->group.guard = &moat_guards_child;
    child->supervisor = supervisor;
    memcpy(&child->spec, spec, sizeof child->spec); /* padding and all */
    child->id = ++supervisor->last_id;
    child->result.kind = child->last_failure.kind = MOAT_EVENT_RETURN;
    child->restarts.at = child->times;
    list_init(&child->ended);
    list_init(&child->waiters);
    list_append(&supervisor->children, &child->sibling);
    return child;
}

void moat_child_enlist(struct child *child)
{
    child->wanted = true;
    child->must_stop = child->asked = child->cancelled = child->stuck = false;
    child->finished = child->given_up = false;
    child->in_a_row = 0;
    child->restarts.count = child->restarts.oldest = 0;
    child->due = 0;
    child->group.owner = child->supervisor->task;
    list_append(&child->supervisor->task->groups, &child->group.opened);
}

void moat_child_dismiss(struct child *child)
{
    list_remove(&child->group.opened);
    list_remove(&child->ended);
    child->group.owner = NULL;
    child->must_stop = false;
}

void moat_child_free(struct child *child)
{
    struct moat_supervisor *supervisor = child->supervisor;

    if (supervisor->acting == child)
        supervisor->acting = NULL;
    moat_child_dismiss(child);
    list_remove(&child->sibling);
    child->group.magic = 0;
    free(child);
}

static void count_end(struct child *child, uint64_t now)
{
    moat_event_kind kind = child->result.kind;

    if (kind == MOAT_EVENT_RETURN)
        child->returned++;
    else if (kind == MOAT_EVENT_TRAP)
        child->trapped++;
    else if (kind == MOAT_EVENT_PANIC)
        child->panicked++;
    else
        child->cancels++;
    if (kind == MOAT_EVENT_RETURN ||
        (kind == MOAT_EVENT_CANCELLED && child->cancelled))
        return;
    child->last_failure = child->result;
    child->failed_at = now;
}

/* All of it has ended. */
static void fall(struct worker *worker, struct child *child)
{
    child->up = false;
    child->supervisor->up--;
    count_end(child, worker->now);
    list_append(&child->supervisor->ended, &child->ended);
    moat_sched_wake_all(worker, &child->waiters, MOAT_OK);
    moat_supervisor_wake(worker, child->supervisor);
}

static bool child_left(struct worker *worker, struct moat_group *group,
                       const struct moat_task *task)
{
    struct child *child = LINKED(group, struct child, group);
    bool own = task == child->task;

    if (own) {
        /* If its supervisor did it: by another task it is a failure. */
        child->cancelled = child->cancelled || group->cancelled;
        child->result = task->result;
        child->result.value = NULL; /* an exception has one owner */
        child->task = NULL;
    }
    if (group->live == 0)
        fall(worker, child);
    return own && group->live != 0;
}

static void release_child(struct moat_group *group)
{
    moat_child_dismiss(LINKED(group, struct child, group));
}

static bool nobody_left(struct worker *worker, struct moat_group *group,
                        const struct moat_task *task)
{
    (void)worker;
    (void)group;
    (void)task;
    return false;
}

static void release_supervisor(struct moat_group *group)
{
    moat_supervisor_dismiss(LINKED(group, struct moat_supervisor, anchor));
}

const struct group_guard moat_guards_child = {child_left, release_child};
const struct group_guard moat_guards_anchor = {nobody_left, release_supervisor};

void moat_child_start(struct worker *worker, struct child *child)
{
    struct moat_group *group = &child->group;
    struct kind *kind;
    moat_status status =
        moat_kinds_find(worker->run->kinds, &child->spec.options, &kind);

    group->cancelled = group->failed = false;
    group->failure.kind = MOAT_EVENT_RETURN;
    child->ready = false;
    child->starts++;
    child->started_at = worker->now;
    child->up = true;
    child->supervisor->up++;
    child->task = status != MOAT_OK
                      ? NULL
                      : moat_life_begin(worker, group, child->spec.fn,
                                        child->spec.arg, kind);
    if (child->task != NULL) {
        child->task->detached = true;
        child->task->creator = child->supervisor->caller;
        return;
    }
    child->result =
        (moat_result){.kind = MOAT_EVENT_CANCELLED,
                      .trap = MOAT_TRAP_INFO_INIT,
                      .status = status != MOAT_OK ? status : MOAT_E_NOMEM};
    fall(worker, child);
}
