/*
 * roster.c: the calls about the children of a supervisor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/ask.h"
#include "sched/refuse.h"
#include "sched/structs.h"
#include "sched/supervisor.h"
#include "sched/wait.h"

#define STOP_NS UINT64_C(5000000000)

/* ---- Add ---------------------------------------------------------------- */

static bool is_stopping(const struct moat_supervisor *supervisor)
{
    return supervisor->task != NULL &&
           (supervisor->stopping || supervisor->task->over ||
            supervisor->task->cancelled);
}

static enum verdict add(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = task->wish.other.object;
    struct child *child;

    if (moat_supervisor_is_foreign(worker, supervisor))
        return answer(task, MOAT_E_STATE);
    if (is_stopping(supervisor))
        return answer(task, MOAT_E_CANCELLED);
    child = moat_child_make(supervisor, task->room);
    if (child == NULL)
        return answer(task, MOAT_E_NOMEM);
    task->wish.other.value = child->id;
    if (supervisor->task != NULL) {
        moat_child_enlist(child);
        moat_supervisor_wake(worker, supervisor);
    }
    return answer(task, MOAT_OK);
}

static moat_status check_spec(const moat_child_spec *spec)
{
    unsigned unknown = spec->flags & ~(MOAT_CHILD_FORGET | MOAT_CHILD_READY);

    if (spec->fn == NULL)
        return refuse("spec->fn is NULL");
    if ((unsigned)spec->restart > MOAT_RESTART_TEMPORARY)
        return refuse_value("spec->restart is %u: no moat_restart",
                            (unsigned)spec->restart);
    if (unknown != 0)
        return refuse_value("spec->flags has %x, which no MOAT_CHILD_ flag is",
                            unknown);
    return MOAT_OK;
}

/* On the caller's stack, where a bad pointer faults. */
static moat_status read_spec(struct asked_child *to,
                             const moat_child_spec *spec)
{
    moat_child_spec copy = MOAT_CHILD_SPEC_INIT;
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_status status =
        moat_sched_copy_in(&copy, sizeof copy, spec, sizeof copy);

    if (status != MOAT_OK)
        return status;
    status = check_spec(&copy);
    if (status != MOAT_OK)
        return status;
    if (copy.options != NULL)
        status = moat_sched_copy_in(&options, sizeof options, copy.options,
                                    sizeof options);
    if (status == MOAT_OK && copy.name != NULL)
        options.name = copy.name;
    if (status == MOAT_OK)
        status = moat_kinds_read(&to->options, &options);
    to->fn = copy.fn;
    to->arg = copy.arg;
    to->restart = copy.restart;
    to->flags = copy.flags;
    to->stop = copy.stop;
    to->stop_ns = copy.stop_ns != 0 ? copy.stop_ns : STOP_NS;
    return status;
}

static const struct op adds = {.perform = add, .words = "adds a child"};

moat_status moat_supervisor_add(moat_supervisor *supervisor,
                                const moat_child_spec *spec, moat_child_id *out)
{
    struct moat_task nobody = {.magic = 0}, *task = asker();
    struct moat_task *who = task != NULL ? task : &nobody;
    struct asked_child asked;
    moat_status status;

    if (!is_supervisor(supervisor) || spec == NULL)
        return spec == NULL ? refuse("spec is NULL")
                            : refuse_pointer("supervisor is %x: no supervisor",
                                             supervisor);
    status = read_spec(&asked, spec);
    if (status != MOAT_OK)
        return status;
    if (task == NULL)
        nobody.room = &asked;
    else if (!moat_sched_room(task, sizeof asked))
        return task->status;
    if (task != NULL)
        memcpy(task->room, &asked, sizeof asked);
    status = moat_supervisor_ask(supervisor, task, &nobody, &adds);
    if (status == MOAT_OK && out != NULL)
        *out = who->wish.other.value;
    return status;
}

/* ---- Stop, start, remove ------------------------------------------------ */

static struct child *asked_child(const struct moat_task *task)
{
    return moat_child_find(task->wish.other.object, task->wish.other.value);
}

static bool is_foreign(const struct worker *worker,
                       const struct moat_task *task)
{
    return moat_supervisor_is_foreign(worker, task->wish.other.object);
}

static enum verdict stop_child(struct worker *worker, struct moat_task *task)
{
    struct child *child;

    if (is_host(task) || is_foreign(worker, task))
        return answer(task, MOAT_E_STATE);
    child = asked_child(task);
    if (child == NULL)
        return answer(task, refuse_value("id is %u: no child of the supervisor",
                                         task->wish.other.value));
    if (task->group == &child->group)
        return answer(task, MOAT_E_STATE);
    child->wanted = false;
    if (!child->up)
        return answer(task, MOAT_OK);
    child->must_stop = true;
    moat_supervisor_wake(worker, child->supervisor);
    if (task == child->supervisor->task) /* it would wait for itself */
        return answer(task, MOAT_E_TIMEOUT);
    return moat_sched_wait(worker, task, &child->waiters, task->deadline,
                           child);
}

static enum verdict start_child(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = task->wish.other.object;
    struct child *child;

    if (is_foreign(worker, task))
        return answer(task, MOAT_E_STATE);
    child = asked_child(task);
    if (child == NULL)
        return answer(task, refuse_value("id is %u: no child of the supervisor",
                                         task->wish.other.value));
    if (supervisor->task == NULL || child->wanted)
        return answer(task, MOAT_E_STATE);
    if (is_stopping(supervisor))
        return answer(task, MOAT_E_CANCELLED);
    child->wanted = true;
    child->finished = child->given_up = false;
    child->in_a_row = 0;
    child->restarts.count = child->restarts.oldest = 0;
    if (!child->up) {
        /* An end that was not judged yet was that of the last life. */
        list_remove(&child->ended);
        child->must_stop = child->asked = child->cancelled = false;
    }
    child->due = 0;
    moat_supervisor_wake(worker, supervisor);
    return answer(task, MOAT_OK);
}

static enum verdict remove_child(struct worker *worker, struct moat_task *task)
{
    const struct moat_supervisor *supervisor = task->wish.other.object;
    struct child *child;

    if (is_foreign(worker, task))
        return answer(task, MOAT_E_STATE);
    child = asked_child(task);
    if (child == NULL)
        return answer(task, refuse_value("id is %u: no child of the supervisor",
                                         task->wish.other.value));
    if (child->up || (supervisor->task != NULL && child->wanted))
        return answer(task, MOAT_E_STATE);
    moat_child_free(child);
    return answer(task, MOAT_OK);
}

static enum verdict find_next(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = task->wish.other.object;
    const struct link *next = NULL;
    const struct child *child;

    if (is_foreign(worker, task))
        return answer(task, MOAT_E_STATE);
    child = asked_child(task);
    if (child != NULL)
        next = child->sibling.next;
    else if (task->wish.other.value == 0)
        next = supervisor->children.next;
    task->wish.other.value = 0;
    if (next != NULL && next != &supervisor->children)
        task->wish.other.value = LINKED(next, const struct child, sibling)->id;
    return answer(task, MOAT_OK);
}

static const struct op stops = {.perform = stop_child,
                                .words = "stops a child",
                                .late = MOAT_E_TIMEOUT,
                                .on_tasks = true};
static const struct op starts = {.perform = start_child,
                                 .words = "starts a child"};
static const struct op removes = {.perform = remove_child,
                                  .words = "removes a child"};
static const struct op finds = {.perform = find_next,
                                .words = "looks for a child"};

moat_status moat_supervisor_stop_child(moat_supervisor *supervisor,
                                       moat_child_id child, uint64_t deadline)
{
    struct moat_task *task = asker();

    if (!is_supervisor(supervisor))
        return refuse_pointer("supervisor is %x: no supervisor", supervisor);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.other.value = child;
    task->deadline = deadline;
    return moat_supervisor_ask(supervisor, task, NULL, &stops);
}

moat_status moat_supervisor_start_child(moat_supervisor *supervisor,
                                        moat_child_id child)
{
    struct moat_task *task = asker();

    if (!is_supervisor(supervisor))
        return refuse_pointer("supervisor is %x: no supervisor", supervisor);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.other.value = child;
    return moat_supervisor_ask(supervisor, task, NULL, &starts);
}

moat_status moat_supervisor_remove_child(moat_supervisor *supervisor,
                                         moat_child_id child)
{
    struct moat_task nobody = {.magic = 0}, *task = asker();

    if (!is_supervisor(supervisor))
        return refuse_pointer("supervisor is %x: no supervisor", supervisor);
    (task != NULL ? task : &nobody)->wish.other.value = child;
    return moat_supervisor_ask(supervisor, task, &nobody, &removes);
}

moat_child_id moat_supervisor_next_child(moat_supervisor *supervisor,
                                         moat_child_id child)
{
    struct moat_task nobody = {.magic = 0}, *task = asker();
    struct moat_task *who = task != NULL ? task : &nobody;

    if (!is_supervisor(supervisor))
        return 0;
    who->wish.other.value = child;
    return moat_supervisor_ask(supervisor, task, &nobody, &finds) == MOAT_OK
               ? who->wish.other.value
               : 0;
}

/* ---- Ready -------------------------------------------------------------- */

static enum verdict be_ready(struct worker *worker, struct moat_task *task)
{
    struct moat_group *group = task->group;
    struct child *child;

    if (is_host(task) || group->guard != &moat_guards_child)
        return answer(task, MOAT_E_STATE);
    child = LINKED(group, struct child, group);
    child->ready = true;
    moat_supervisor_wake(worker, child->supervisor);
    return answer(task, MOAT_OK);
}

static const struct op readies = {.perform = be_ready, .words = "is ready"};

moat_status moat_child_ready(void)
{
    struct moat_task *task = asker();

    return task != NULL ? ask(task, &readies) : MOAT_E_STATE;
}
