/*
 * supervise.c: what the task of a supervisor does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/ask.h"
#include "sched/clock.h"
#include "sched/group.h"
#include "sched/local.h"
#include "sched/refuse.h"
#include "sched/supervisor.h"
#include "sched/wait.h"

static struct child *child_at(const struct link *at)
{
    return LINKED(at, struct child, sibling);
}

static struct moat_supervisor *asked_for(const struct moat_task *task)
{
    return task->wish.other.object;
}

/* ---- What comes next ---------------------------------------------------- */

static enum verdict act(struct moat_task *task, enum action action,
                        struct child *child)
{
    asked_for(task)->acting = child;
    task->wish.other.value = action;
    return answer(task, MOAT_OK);
}

static enum verdict report(struct worker *worker, struct moat_task *task)
{
    const struct moat_supervisor *supervisor = asked_for(task);

    if (supervisor->options.report != NULL)
        return act(task, ACTION_REPORT, NULL);
    run_unlock(worker->run); /* the reader may be slow */
    moat_restart_print(worker->run, supervisor, worker->now);
    run_lock(worker->run);
    return act(task, ACTION_LOOK, NULL);
}

/* Returns the last child that has to end and is not stuck. */
static struct child *next_to_stop(const struct moat_supervisor *supervisor)
{
    for (struct link *at = supervisor->children.prev;
         at != &supervisor->children; at = at->prev)
        if (child_at(at)->must_stop && child_at(at)->up && !child_at(at)->stuck)
            return child_at(at);
    return NULL;
}

static bool any_stops(const struct moat_supervisor *supervisor)
{
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next)
        if (child_at(at)->must_stop && child_at(at)->up)
            return true;
    return false;
}

static uint64_t patience(const struct worker *worker, const struct child *child)
{
    return child->spec.stop_ns < MOAT_NO_DEADLINE - 1 - worker->now
               ? worker->now + child->spec.stop_ns
               : MOAT_NO_DEADLINE - 1;
}

/* Takes the next step to stop a child. False: it still has time to end. */
static bool stop_step(struct worker *worker, struct moat_task *task,
                      struct child *child, enum verdict *verdict)
{
    struct moat_supervisor *supervisor = child->supervisor;

    if (child->spec.stop != NULL && !child->asked) {
        child->asked = true;
        child->patience = patience(worker, child);
        supervisor->stop = child->spec.stop;
        supervisor->stop_arg = child->spec.arg;
        *verdict = act(task, ACTION_STOP, child);
        return true;
    }
    if (!child->cancelled) {
        if (child->spec.stop != NULL && worker->now < child->patience)
            return false;
        child->cancelled = true;
        child->patience = patience(worker, child);
        moat_group_cancel_members(worker, &child->group);
        *verdict = act(task, ACTION_LOOK, child);
        return true;
    }
    if (worker->now < child->patience)
        return false;
    child->stuck = true;
    moat_restart_note(supervisor, child, MOAT_SUPERVISOR_CHILD_STUCK);
    *verdict = report(worker, task);
    return true;
}

/* Returns the first child to start now; NULL: none. *due is when to look
 * again. */
static struct child *next_to_start(const struct moat_supervisor *supervisor,
                                   uint64_t now, uint64_t *due)
{
    bool in_order = supervisor->options.strategy != MOAT_ONE_FOR_ONE;

    if (in_order && any_stops(supervisor))
        return NULL;
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next) {
        struct child *child = child_at(at);

        if (child->up && (child->spec.flags & MOAT_CHILD_READY) &&
            !child->ready && !child->must_stop)
            return NULL;
        if (child->up || !child->wanted)
            continue;
        if (child->due <= now)
            return child;
        if (child->due < *due)
            *due = child->due;
        if (in_order)
            return NULL;
    }
    return NULL;
}

static bool is_done(const struct moat_supervisor *supervisor)
{
    if (supervisor->up != 0)
        return false;
    if (supervisor->stopping)
        return true;
    if (supervisor->options.flags & MOAT_SUPERVISOR_STAY)
        return false;
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next)
        if (child_at(at)->wanted)
            return false;
    return true;
}

static enum verdict look(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = asked_for(task);
    uint64_t deadline = MOAT_NO_DEADLINE;
    enum verdict verdict;
    struct child *child;

    (void)moat_clock_read(worker);
    task->wish.other.value = ACTION_LOOK;
    while (!list_empty(&supervisor->ended)) {
        child = LINKED(supervisor->ended.next, struct child, ended);
        if (moat_restart_judge(supervisor, child, worker->now))
            return report(worker, task);
    }
    if (is_done(supervisor))
        return act(task, ACTION_END, NULL);
    child = next_to_stop(supervisor);
    if (child != NULL) {
        if (stop_step(worker, task, child, &verdict))
            return verdict;
        deadline = child->patience;
    }
    child = supervisor->stopping || task->cancelled
                ? NULL
                : next_to_start(supervisor, worker->now, &deadline);
    if (child != NULL)
        return act(task, ACTION_START, child);
    return moat_sched_wait(worker, task, &supervisor->idle, deadline,
                           supervisor);
}

/* The child has its first turn before the next one is started, whatever the
 * order of the run's queues. */
static enum verdict start(struct worker *worker, struct moat_task *task)
{
    const struct moat_supervisor *supervisor = asked_for(task);
    struct child *child = supervisor->acting;

    if (child == NULL || !child->wanted || child->up || supervisor->stopping)
        return answer(task, MOAT_OK);
    moat_child_start(worker, child);
    if (child->task != NULL && task->heir != NULL)
        moat_locals_take(child->task, task);
    task->status = MOAT_OK;
    enqueue(worker, task);
    return QUEUED;
}

/* ---- The begin and the end of a supervision ------------------------------ */

static enum verdict begin(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = asked_for(task);

    if (supervisor->task != NULL || is_host(task))
        return answer(task, MOAT_E_STATE);
    if (task->cancelled)
        return answer(task, MOAT_E_CANCELLED);
    supervisor->task = task;
    supervisor->run = worker->run;
    supervisor->stopping = false;
    supervisor->outcome = MOAT_OK;
    supervisor->caller = task->wish.other.value;
    supervisor->restarts.count = supervisor->restarts.oldest = 0;
    supervisor->random = supervisor->options.seed ^ 0x9e3779b97f4a7c15u;
    if (worker->run->clock == MOAT_CLOCK_REAL)
        supervisor->random ^= moat_clock_read(worker) << 1;
    if (supervisor->random == 0)
        supervisor->random = 1;
    list_init(&supervisor->ended);
    supervisor->anchor.owner = task;
    list_append(&task->groups, &supervisor->anchor.opened);
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next)
        moat_child_enlist(child_at(at));
    return answer(task, MOAT_OK);
}

/* All children are down, unless an exception passes. */
static enum verdict leave(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = asked_for(task);

    task->wish.other.value = ACTION_LOOK;
    for (struct link *at = supervisor->children.prev;
         at != &supervisor->children; at = at->prev) {
        struct moat_group *group = &child_at(at)->group;

        if (!child_at(at)->up)
            continue;
        child_at(at)->cancelled = true;
        moat_group_cancel_members(worker, group);
        return moat_sched_wait(worker, task, &group->waiters, MOAT_NO_DEADLINE,
                               group);
    }
    for (struct link *at = supervisor->children.next;
         at != &supervisor->children; at = at->next)
        moat_child_dismiss(child_at(at));
    moat_supervisor_dismiss(supervisor);
    task->wish.other.value = ACTION_END;
    return answer(task, MOAT_OK);
}

static const struct op looks = {.perform = look,
                                .words = "supervises",
                                .late = MOAT_E_TIMEOUT,
                                .on_tasks = true};
static const struct op starts = {.perform = start, .words = "starts a child"};
static const struct op begins = {.perform = begin, .words = "supervises"};
static const struct op leaves = {.perform = leave,
                                 .words = "waits for children of supervisor",
                                 .to_the_end = true,
                                 .on_tasks = true};
/* ---- In the task of the supervisor -------------------------------------- */

static moat_status ask_for(struct moat_supervisor *supervisor,
                           struct moat_task *task, const struct op *op,
                           uintptr_t value)
{
    task->wish.other.object = supervisor;
    task->wish.other.value = value;
    return ask(task, op);
}

struct supervision {
    struct moat_supervisor *supervisor;
    struct moat_task *task;
};

static void end_supervision(struct supervision *self)
{
    do {
        if (ask_for(self->supervisor, self->task, &leaves, 0) != MOAT_OK)
            return;
    } while (self->task->wish.other.value != ACTION_END);
}

/* The new task inherits local values from this one. */
static moat_status start_child(const struct supervision *self)
{
    moat_status status = moat_locals_bequeath(self->task);

    if (status == MOAT_OK)
        status = ask_for(self->supervisor, self->task, &starts, 0);
    if (self->task->heir != NULL)
        moat_locals_withdraw(self->task);
    return status;
}

static moat_status perform(const struct supervision *self, enum action action)
{
    struct moat_supervisor *supervisor = self->supervisor;

    switch (action) {
    case ACTION_START:
        return start_child(self);
    case ACTION_STOP:
        supervisor->stop(supervisor->stop_arg);
        break;
    case ACTION_REPORT:
        supervisor->options.report(supervisor->options.report_arg,
                                   &supervisor->event);
        break;
    case ACTION_LOOK:
    case ACTION_END:
        break;
    }
    return MOAT_OK;
}

static moat_status supervise(struct moat_supervisor *supervisor,
                             struct moat_task *task)
{
    __attribute__((cleanup(end_supervision))) struct supervision self = {
        supervisor, task};

    for (;;) {
        moat_status status = ask_for(supervisor, task, &looks, 0);
        enum action action = (enum action)task->wish.other.value;

        if (status == MOAT_OK && action == ACTION_END)
            return supervisor->outcome;
        if (status == MOAT_OK)
            status = perform(&self, action);
        if (status != MOAT_OK && status != MOAT_E_TIMEOUT)
            (void)ask_for(supervisor, task, &moat_supervisor_finishes,
                          (uintptr_t)(intptr_t)status);
    }
}

moat_status moat_supervisor_run(moat_supervisor *supervisor)
{
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    struct moat_task *task = asker();
    moat_status status;

    if (!is_supervisor(supervisor))
        return refuse_pointer("supervisor is %x: no supervisor", supervisor);
    if (task == NULL)
        return MOAT_E_STATE;
    status = ask_for(supervisor, task, &begins, caller);
    return status == MOAT_OK ? supervise(supervisor, task) : status;
}

void *moat_supervisor_task(void *supervisor)
{
    moat_status status = moat_supervisor_run(supervisor);

    if (status != MOAT_OK)
        moat_trap_raise((int)status);
    return NULL;
}
