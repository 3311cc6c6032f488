/*
 * census.c: the state and the counters of supervisors and their children.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/ask.h"
#include "sched/refuse.h"
#include "sched/structs.h"
#include "sched/supervisor.h"

#define CHILD_LEAST      sizeof(moat_child_info)
#define SUPERVISOR_LEAST sizeof(moat_supervisor_info)

/* The answer lies in the task's room. */
static moat_status ask_into(struct moat_supervisor *supervisor,
                            const struct op *op, moat_child_id id, void *answer,
                            size_t bytes)
{
    struct moat_task nobody = {.magic = 0}, *task = asker();
    moat_status status;

    if (task != NULL && !moat_sched_room(task, bytes))
        return task->status;
    nobody.room = answer;
    (task != NULL ? task : &nobody)->wish.other.value = id;
    status = moat_supervisor_ask(supervisor, task, &nobody, op);
    if (status == MOAT_OK && task != NULL)
        memcpy(answer, task->room, bytes);
    return status;
}

/* ---- A child ------------------------------------------------------------ */

static moat_child_state state_of(const struct child *child)
{
    if (child->up)
        return child->must_stop ? MOAT_CHILD_STOPPING : MOAT_CHILD_UP;
    if (child->given_up)
        return MOAT_CHILD_GIVEN_UP;
    if (child->finished)
        return MOAT_CHILD_FINISHED;
    if (child->supervisor->task == NULL)
        return MOAT_CHILD_IDLE;
    return child->wanted && !child->supervisor->stopping ? MOAT_CHILD_WAITING
                                                         : MOAT_CHILD_STOPPED;
}

static enum verdict get_child(struct worker *worker, struct moat_task *task)
{
    const struct moat_supervisor *supervisor = task->wish.other.object;
    moat_child_info info = MOAT_CHILD_INFO_INIT;
    const struct child *child;

    if (moat_supervisor_is_foreign(worker, supervisor))
        return answer(task, MOAT_E_STATE);
    child = moat_child_find(supervisor, task->wish.other.value);
    if (child == NULL)
        return answer(task, refuse_value("id is %u: no child of the supervisor",
                                         task->wish.other.value));
    info.id = child->id;
    memcpy(info.name, child->spec.options.name, sizeof info.name);
    info.state = state_of(child);
    info.starts = child->starts;
    info.returned = child->returned;
    info.trapped = child->trapped;
    info.panicked = child->panicked;
    info.cancelled = child->cancels;
    info.started_at = child->started_at;
    info.failed_at = child->failed_at;
    info.last_failure = child->last_failure;
    memcpy(task->room, &info, sizeof info);
    return answer(task, MOAT_OK);
}

static const struct op gets_child = {.perform = get_child,
                                     .words = "reads of a child"};

moat_status moat_supervisor_get_child(moat_supervisor *supervisor,
                                      moat_child_id child, moat_child_info *out)
{
    moat_child_info info;
    moat_status status;

    if (!is_supervisor(supervisor) || out == NULL ||
        out->struct_size < CHILD_LEAST)
        return refuse("supervisor is no supervisor, out is NULL, or "
                      "out->struct_size is too small: its _INIT macro sets it");
    status = ask_into(supervisor, &gets_child, child, &info, sizeof info);
    return status == MOAT_OK
               ? moat_sched_copy_out(out, &info, sizeof info, CHILD_LEAST)
               : status;
}

/* ---- All ---------------------------------------------------------------- */

static enum verdict get_info(struct worker *worker, struct moat_task *task)
{
    const struct moat_supervisor *supervisor = task->wish.other.object;
    moat_supervisor_info info = MOAT_SUPERVISOR_INFO_INIT;

    if (moat_supervisor_is_foreign(worker, supervisor))
        return answer(task, MOAT_E_STATE);
    for (const struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next) {
        info.children++;
        info.given_up += LINKED(at, const struct child, sibling)->given_up;
    }
    info.up = supervisor->up;
    info.failures = supervisor->failures;
    info.restarts = supervisor->restarted;
    memcpy(task->room, &info, sizeof info);
    return answer(task, MOAT_OK);
}

static const struct op gets_info = {.perform = get_info,
                                    .words = "reads of a supervisor"};

moat_status moat_supervisor_get_info(moat_supervisor *supervisor,
                                     moat_supervisor_info *out)
{
    moat_supervisor_info info;
    moat_status status;

    if (!is_supervisor(supervisor) || out == NULL ||
        out->struct_size < SUPERVISOR_LEAST)
        return refuse("supervisor is no supervisor, out is NULL, or "
                      "out->struct_size is too small: its _INIT macro sets it");
    status = ask_into(supervisor, &gets_info, 0, &info, sizeof info);
    return status == MOAT_OK
               ? moat_sched_copy_out(out, &info, sizeof info, SUPERVISOR_LEAST)
               : status;
}
