/*
 * supervisor.c: supervisors: create, stop, destroy.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/ask.h"
#include "sched/group.h"
#include "sched/refuse.h"
#include "sched/structs.h"
#include "sched/supervisor.h"
#include "sched/wait.h"

#define MAX_INTENSITY  1000
#define INTENSITY      3
#define PERIOD_NS      UINT64_C(5000000000)
#define BACKOFF_MAX_NS UINT64_C(30000000000)

moat_status moat_supervisor_ask(struct moat_supervisor *supervisor,
                                struct moat_task *task,
                                struct moat_task *nobody, const struct op *op)
{
    if (task != NULL) {
        task->wish.other.object = supervisor;
        return ask(task, op);
    }
    if (moat_sched_worker != NULL || moat_co_current() != NULL)
        return MOAT_E_STATE;
    nobody->wish.other.object = supervisor;
    (void)op->perform(NULL, nobody);
    return nobody->status;
}

/* ---- Stop --------------------------------------------------------------- */

static enum verdict finish(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = task->wish.other.object;

    if (moat_supervisor_is_foreign(worker, supervisor))
        return answer(task, MOAT_E_STATE);
    if (supervisor->task != NULL) {
        moat_supervisor_finish(supervisor,
                               (moat_status)(intptr_t)task->wish.other.value);
        moat_supervisor_wake(worker, supervisor);
    }
    return answer(task, MOAT_OK);
}

const struct op moat_supervisor_finishes = {.perform = finish,
                                            .words = "stops a supervisor"};

moat_status moat_supervisor_stop(moat_supervisor *supervisor)
{
    struct moat_task *task = asker();

    if (!is_supervisor(supervisor))
        return refuse_pointer("supervisor is %x: no supervisor", supervisor);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.other.value = 0;
    return moat_supervisor_ask(supervisor, task, NULL,
                               &moat_supervisor_finishes);
}

/* ---- Create, destroy ---------------------------------------------------- */

static moat_status check_options(const moat_supervisor_options *options)
{
    unsigned unknown =
        options->flags & ~(MOAT_SUPERVISOR_FAIL_OPEN | MOAT_SUPERVISOR_STAY);

    if ((unsigned)options->strategy > MOAT_REST_FOR_ONE)
        return refuse_value("options->strategy is %u: no moat_strategy",
                            (unsigned)options->strategy);
    if (unknown != 0)
        return refuse_value("options->flags has %x, which no MOAT_SUPERVISOR_ "
                            "flag is",
                            unknown);
    if (options->intensity > MAX_INTENSITY)
        return moat_error_note(MOAT_E_INVAL,
                               "options->intensity is %u: it must be at most "
                               "%u",
                               options->intensity, MAX_INTENSITY);
    if (options->jitter_percent > 100)
        return refuse_value("options->jitter_percent is %u: it must be at most "
                            "100",
                            options->jitter_percent);
    return MOAT_OK;
}

static moat_status read_options(moat_supervisor_options *to,
                                const moat_supervisor_options *options)
{
    moat_status status = MOAT_OK;

    if (options != NULL)
        status = moat_sched_copy_in(to, sizeof *to, options, sizeof *to);
    if (status != MOAT_OK)
        return status;
    status = check_options(to);
    if (status != MOAT_OK)
        return status;
    if (to->intensity == 0)
        to->intensity = INTENSITY;
    if (to->period_ns == 0)
        to->period_ns = PERIOD_NS;
    if (to->backoff_max_ns == 0)
        to->backoff_max_ns = BACKOFF_MAX_NS;
    return MOAT_OK;
}

/* The task's `room` has the options, and then the name. */
struct asked_supervisor {
    moat_supervisor_options options;
    char name[NAME_BYTES];
};

static enum verdict create(struct worker *worker, struct moat_task *task)
{
    const struct asked_supervisor *asked = task->room;
    struct moat_supervisor *supervisor =
        calloc(1, sizeof *supervisor +
                      asked->options.intensity * sizeof supervisor->times[0]);

    (void)worker;
    if (supervisor == NULL)
        return answer(task, MOAT_E_NOMEM);
    supervisor->magic = SUPERVISOR_MAGIC;
    supervisor->options = asked->options;
    memcpy(supervisor->name, asked->name, sizeof supervisor->name);
    supervisor->restarts.at = supervisor->times;
    list_init(&supervisor->children);
    list_init(&supervisor->ended);
    list_init(&supervisor->idle);
    moat_group_init(&supervisor->anchor, NULL, 0);
    supervisor->anchor.guard = &moat_guards_anchor;
    task->wish.other.object = supervisor;
    return answer(task, MOAT_OK);
}

static enum verdict destroy(struct worker *worker, struct moat_task *task)
{
    struct moat_supervisor *supervisor = task->wish.other.object;

    (void)worker;
    if (supervisor->task != NULL)
        return answer(task, MOAT_E_STATE);
    while (!list_empty(&supervisor->children))
        moat_child_free(
            LINKED(supervisor->children.next, struct child, sibling));
    supervisor->magic = 0;
    free(supervisor);
    return answer(task, MOAT_OK);
}

static const struct op creates = {.perform = create,
                                  .words = "creates a supervisor"};
static const struct op destroys = {.perform = destroy,
                                   .words = "destroys a supervisor"};

moat_status moat_supervisor_create(moat_supervisor **out,
                                   const moat_supervisor_options *options)
{
    struct asked_supervisor asked = {.options = MOAT_SUPERVISOR_OPTIONS_INIT};
    struct moat_task nobody = {.room = &asked}, *task = asker();
    struct moat_task *who = task != NULL ? task : &nobody;
    moat_status status;

    if (out == NULL)
        return refuse("out is NULL");
    status = read_options(&asked.options, options);
    if (status != MOAT_OK)
        return status;
    moat_kinds_read_name(asked.name, asked.options.name);
    if (task == NULL &&
        (moat_sched_worker != NULL || moat_co_current() != NULL))
        return MOAT_E_STATE;
    if (task == NULL) {
        (void)creates.perform(NULL, &nobody);
    } else {
        if (!moat_sched_room(task, sizeof asked))
            return task->status;
        memcpy(task->room, &asked, sizeof asked);
        (void)ask(task, &creates);
    }
    if (who->status == MOAT_OK)
        *out = who->wish.other.object;
    return who->status;
}

void moat_supervisor_destroy(moat_supervisor *supervisor)
{
    struct moat_task nobody = {.magic = 0};

    if (is_supervisor(supervisor))
        (void)moat_supervisor_ask(supervisor, asker(), &nobody, &destroys);
}
