/*
 * supervisor.h: supervisors and their children.
 *
 * All of it changes in operations (ask.h) and where a task leaves its group, so
 * the task that runs a supervisor may be stopped at any instruction. That task
 * only asks what to do next, and does what needs its stack: it calls functions
 * of the program.
 *
 * A child is a group. The groups of the children are among those that the
 * supervisor's task has opened, in their order, between other groups: if the
 * task ends, they are emptied last to first (group.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_SUPERVISOR_H
#define SCHED_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/supervisor.h>

#include "sched/kinds.h"
#include "sched/run.h"
#include "sched/task.h"

#define SUPERVISOR_MAGIC 0x73757076u

/* The times of the last restarts, in a ring of `intensity`. */
struct restarts {
    unsigned count, oldest;
    uint64_t *at;
};

/* A spec, read and checked. */
struct asked_child {
    struct asked_options options;
    moat_task_fn fn;
    void *arg;
    moat_restart restart;
    unsigned flags;
    void (*stop)(void *arg);
    uint64_t stop_ns;
};

struct child {
    struct moat_group group; /* with its task and what that spawns     */
    struct moat_supervisor *supervisor;
    struct link sibling;
    struct link ended; /* in the list of ends not judged yet         */
    struct link waiters;
    struct asked_child spec;
    moat_child_id id;
    struct moat_task *task; /* NULL: it has ended                     */
    bool up;                /* the group has members                  */
    bool wanted;            /* it should be up                        */
    bool must_stop;         /* it is up, and has to end               */
    bool asked, cancelled;  /* by its stop function; as a task        */
    bool stuck;             /* and has not ended                      */
    bool ready;
    bool finished, given_up; /* why it is not wanted                  */
    unsigned in_a_row;       /* restarts without a longer run between */
    uint64_t due;            /* when it starts, if it is down         */
    uint64_t patience;       /* while it stops: what comes next then  */
    moat_result result;      /* of its task                           */
    uint64_t starts, returned, trapped, panicked, cancels;
    uint64_t started_at, failed_at;
    moat_result last_failure;
    struct restarts restarts;
    uint64_t times[]; /* of these */
};

/* The next action of the supervisor's task. */
enum action {
    ACTION_LOOK, /* asks again                   */
    ACTION_START,
    ACTION_STOP, /* calls the child's `stop`     */
    ACTION_REPORT,
    ACTION_END
};

struct moat_supervisor {
    uint32_t magic;
    char name[NAME_BYTES];
    moat_supervisor_options options;
    struct link children, ended;
    struct moat_task *task; /* that runs it; NULL: none               */
    const struct sched *run;
    struct moat_group anchor; /* before the children's; has no member */
    struct link idle;         /* its task, while that waits           */
    uintptr_t caller;
    bool stopping;
    moat_status outcome;
    struct child *acting; /* that the action is about; NULL: is gone  */
    void (*stop)(void *arg);
    void *stop_arg;
    moat_supervisor_event event;
    uint64_t random;
    moat_child_id last_id;
    uint64_t up, failures, restarted;
    struct restarts restarts;
    uint64_t times[];
};

static inline bool is_supervisor(const struct moat_supervisor *supervisor)
{
    return supervisor != NULL && supervisor->magic == SUPERVISOR_MAGIC;
}

/* It runs elsewhere: nothing may be done to it from here. */
static inline bool
moat_supervisor_is_foreign(const struct worker *worker,
                           const struct moat_supervisor *supervisor)
{
    return supervisor->task != NULL &&
           (worker == NULL || supervisor->run != worker->run);
}

/* ---- supervisor.c ---- */

/* Performs an operation. Outside of a run, while the supervisor does not run,
 * there is no worker to ask: it is performed at once, for the task `nobody`. */
moat_status moat_supervisor_ask(struct moat_supervisor *supervisor,
                                struct moat_task *task,
                                struct moat_task *nobody, const struct op *op);
/* `value` is the outcome. */
extern const struct op moat_supervisor_finishes;

/* ---- children.c ---- */

extern const struct group_guard moat_guards_child, moat_guards_anchor;

/* Its task looks again, if it waits. */
void moat_supervisor_wake(struct worker *worker,
                          struct moat_supervisor *supervisor);
/* All children must stop, and then it ends. */
void moat_supervisor_finish(struct moat_supervisor *supervisor,
                            moat_status outcome);
/* It does not run any more: its task has ended, or has left it. */
void moat_supervisor_dismiss(struct moat_supervisor *supervisor);

/* Adds one. NULL: no memory. */
struct child *moat_child_make(struct moat_supervisor *supervisor,
                              const struct asked_child *spec);
struct child *moat_child_find(const struct moat_supervisor *supervisor,
                              moat_child_id id);
/* The supervisor begins to run: the child is started when its turn comes. */
void moat_child_enlist(struct child *child);
/* Makes its task; an error is its end. The run's kinds may change. */
void moat_child_start(struct worker *worker, struct child *child);
/* The supervisor does not run any more, and the child has ended. */
void moat_child_dismiss(struct child *child);
void moat_child_free(struct child *child);

/* ---- restart.c ---- */

/* Decides what follows the end of a child. Returns whether the caller must
 * report `supervisor->event`. */
bool moat_restart_judge(struct moat_supervisor *supervisor, struct child *child,
                        uint64_t now);
void moat_restart_note(struct moat_supervisor *supervisor,
                       const struct child *child,
                       moat_supervisor_event_kind kind);
/* Writes the event to the run's descriptor. */
void moat_restart_print(const struct sched *run,
                        const struct moat_supervisor *supervisor, uint64_t now);

#endif
