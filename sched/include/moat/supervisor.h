/*
 * supervisor.h: supervisors, which start tasks again when they fail.
 * <moat/sched.h> includes it.
 *
 * A supervisor has children in an order. A task runs it: it starts the children
 * first to last, restarts those that end, by their policies, and stops them
 * last to first. If children fail too often it gives up, since restarts would
 * only hide such a fault. A child may be a supervisor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SUPERVISOR_H
#define MOAT_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include <moat/child_spec.h>
#include <moat/export.h>
#include <moat/status.h>
#include <moat/task.h>

typedef struct moat_supervisor moat_supervisor;

/** Which children are restarted with one that has failed. */
typedef enum moat_strategy {
    /* None. */
    MOAT_ONE_FOR_ONE = 0,
    /* All: the others are stopped first, last to first. */
    MOAT_ONE_FOR_ALL = 1,
    /* Those after it in the order, which are stopped first, last to first. */
    MOAT_REST_FOR_ONE = 2
} moat_strategy;

/* Flags of a supervisor. */
#define MOAT_SUPERVISOR_FAIL_OPEN                                        \
    1u                          /* see moat_supervisor_options.intensity \
                                 */
#define MOAT_SUPERVISOR_STAY 2u /* goes on without children */

/** The events that a supervisor reports. */
typedef enum moat_supervisor_event_kind {
    /* A child has ended against its policy: `result`. It starts again at
     * `restart_at`, unless that is MOAT_NO_DEADLINE. */
    MOAT_SUPERVISOR_CHILD_FAILED = 1,
    /* Too many restarts, and MOAT_SUPERVISOR_FAIL_OPEN: it stays down. */
    MOAT_SUPERVISOR_CHILD_GIVEN_UP = 2,
    /* Was cancelled, and has not ended within its stop_ns. The children before
     * it are stopped now. */
    MOAT_SUPERVISOR_CHILD_STUCK = 3,
    /* Too many restarts: the supervisor stops all children and fails. */
    MOAT_SUPERVISOR_GIVES_UP = 4
} moat_supervisor_event_kind;

/** An event of a supervisor, for moat_supervisor_options.report. */
typedef struct moat_supervisor_event {
    moat_supervisor_event_kind kind;
    moat_child_id child;
    char name[24]; /* the child's */
    /* How the child has ended. `value` is NULL. */
    moat_result result;
    /* On moat_now; MOAT_NO_DEADLINE: it does not start again. */
    uint64_t restart_at;
} moat_supervisor_event;

/**
 * Options of a supervisor. Initialise the struct with
 * MOAT_SUPERVISOR_OPTIONS_INIT.
 */
typedef struct moat_supervisor_options {
    /* sizeof(moat_supervisor_options). */
    size_t struct_size;
    /* Shown in reports; copied, the first 23 bytes. NULL: none. */
    const char *name;
    moat_strategy strategy;
    /* MOAT_SUPERVISOR_FAIL_OPEN, MOAT_SUPERVISOR_STAY. */
    unsigned flags;
    /* Restarts allowed within period_ns; 0: 3. At most 1000. If one more is
     * due, the supervisor fails closed: it stops all children, last to first,
     * and moat_supervisor_run returns MOAT_E_RESTARTS. With
     * MOAT_SUPERVISOR_FAIL_OPEN restarts are counted for each child, and the
     * child stays down while the others go on. */
    unsigned intensity;
    /* 0: 5 s. */
    uint64_t period_ns;
    /* Time from a failure to the restart. It doubles with each failure in a
     * row, up to backoff_max_ns; a child that has run for period_ns begins a
     * new row. 0: at once. */
    uint64_t backoff_ns;
    /* 0: 30 s. */
    uint64_t backoff_max_ns;
    /* Percent, 0 to 100, by up to which that time is shortened at random, so
     * that children that fail together do not all return together. */
    unsigned jitter_percent;
    /* For the random choice. With MOAT_CLOCK_TEST the times depend on this
     * alone. */
    uint64_t seed;
    /* Called in the task of the supervisor. NULL: events are written to
     * moat_sched_options.report_fd. If it traps, so does the task. */
    void (*report)(void *arg, const moat_supervisor_event *event);
    /* Passed to `report`. */
    void *report_arg;
} moat_supervisor_options;

#define MOAT_SUPERVISOR_OPTIONS_INIT                                         \
    {                                                                        \
        sizeof(moat_supervisor_options), NULL, MOAT_ONE_FOR_ONE, 0, 0, 0, 0, \
            0, 0, 0, NULL, NULL                                              \
    }

/** Counters of a supervisor. */
typedef struct moat_supervisor_info {
    /* sizeof(moat_supervisor_info); MOAT_SUPERVISOR_INFO_INIT sets it. */
    size_t struct_size;
    /* Children, those that are up, and those that were given up. */
    uint64_t children, up, given_up;
    /* Failures of children, and restarts that followed; of all runs. */
    uint64_t failures, restarts;
} moat_supervisor_info;

#define MOAT_SUPERVISOR_INFO_INIT                   \
    {                                               \
        sizeof(moat_supervisor_info), 0, 0, 0, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Creates a supervisor without children.
 *
 * @param[out] out  the supervisor; written only on MOAT_OK
 * @param options   NULL for all defaults; copied
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out is NULL; an unknown strategy or flag; an
 *                             intensity or a jitter that is too high; a
 *                             struct_size that no version had
 *         MOAT_E_STATE        the caller is a coroutine inside a task
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  options that this version does not know
 *
 * Ownership:     the caller's, until moat_supervisor_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 * See also:      moat_supervisor_add, moat_supervisor_run
 */
MOAT_API MOAT_NODISCARD moat_status moat_supervisor_create(
    moat_supervisor **out, const moat_supervisor_options *options);

/**
 * Adds a child, the last one in the order. If the supervisor runs, it starts
 * the child.
 *
 * @param supervisor  not NULL
 * @param spec        not NULL; copied
 * @param[out] out    NULL, or the child's number; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        supervisor or spec is NULL or wrong; fn is NULL;
 *                             an unknown policy or flag; a struct_size that no
 *                             version had
 *         MOAT_E_STATE        the caller is a coroutine inside a task, or in
 *                             another run
 *         MOAT_E_CANCELLED    the supervisor is stopping
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a spec that this version does not know
 *
 * Ownership:     arg stays the caller's, and must outlive the child
 * Thread-safety: a task, or the run's thread; any, if it does not run
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 * See also:      moat_supervisor_stop_child, moat_child_spec
 */
MOAT_API moat_status moat_supervisor_add(moat_supervisor *supervisor,
                                         const moat_child_spec *spec,
                                         moat_child_id *out);

/**
 * Supervises: starts the children and returns when all have ended.
 *
 * A child consists of its task and of the tasks that this one spawns in its own
 * group. When the first has ended, the others are cancelled, and when all have
 * ended, so has the child.
 *
 * The children's tasks inherit local values (moat_local_create) from the
 * calling task. If that is cancelled, traps or is left by an exception, the
 * children are cancelled one by one, last to first, each when the one after it
 * has ended, and the task ends after them; `stop` functions are not called.
 *
 * A supervisor can be run again, by the same task or another. All its children
 * are then started anew.
 *
 * @param supervisor  not NULL
 *
 * @return MOAT_OK if it was stopped by moat_supervisor_stop, or if no child is
 *                 up and none will be started, without MOAT_SUPERVISOR_STAY; or
 *         MOAT_E_RESTARTS   there were too many restarts
 *         MOAT_E_INVAL      supervisor is NULL or not a supervisor
 *         MOAT_E_STATE      it runs; or the caller is not a task
 *         MOAT_E_CANCELLED  the caller is being unwound
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one; the
 *                           children were stopped
 *         MOAT_E_NOMEM      no memory for a deadline; the children were stopped
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_supervisor_task, moat_supervisor_stop
 */
MOAT_API MOAT_NODISCARD moat_status
moat_supervisor_run(moat_supervisor *supervisor);

/**
 * Runs a supervisor: a function for moat_task_spawn and moat_child_spec.
 *
 * If moat_supervisor_run does not return MOAT_OK, the task traps
 * (MOAT_TRAP_RAISED, with the status as its code), so that its group, its
 * joiner or its own supervisor gets the failure.
 *
 * @param supervisor  not NULL
 * @return NULL
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API void *moat_supervisor_task(void *supervisor);

/**
 * Asks a supervisor to stop its children and return; does not wait for that.
 *
 * From the last child to the first, the supervisor calls the child's `stop`,
 * cancels it if it has not ended after stop_ns, and waits for its end. A child
 * that is still up stop_ns after it was cancelled is reported, and waited for
 * only at the end.
 *
 * A supervisor that is the child of another one is stopped by it: the `stop` of
 * that child calls this function. If the supervisor does not run, nothing
 * happens.
 *
 * @param supervisor  not NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  supervisor is NULL or not a supervisor
 *         MOAT_E_STATE  the caller is not a task of the run, nor a function
 *                       that the run calls (moat_co_defer)
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_supervisor_stop(moat_supervisor *supervisor);

/**
 * Stops a child for good, and waits until it has ended. In the supervisor's own
 * task (`report`, `stop`) it does not wait.
 *
 * @param supervisor  not NULL
 * @param child       its number
 * @param deadline    on moat_now; MOAT_NO_DEADLINE; 0: does not wait. The child
 *                    is stopped all the same
 *
 * @return MOAT_OK if it is down, or
 *         MOAT_E_INVAL      supervisor is not a supervisor; there is no such
 *                           child
 *         MOAT_E_STATE      the caller is not a task, or is part of the child
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_supervisor_start_child, moat_supervisor_remove_child
 */
MOAT_API MOAT_NODISCARD moat_status moat_supervisor_stop_child(
    moat_supervisor *supervisor, moat_child_id child, uint64_t deadline);

/**
 * Starts a child that is down for good: it was stopped, has finished, or was
 * given up. Its failures before do not count any more.
 *
 * @param supervisor  not NULL
 * @param child       its number
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      supervisor is not a supervisor; there is no such
 *                           child
 *         MOAT_E_STATE      it is up or will be; the caller is not a task of
 *                           the run, nor a function that the run calls
 *         MOAT_E_CANCELLED  the supervisor is stopping
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_supervisor_start_child(moat_supervisor *supervisor,
                                                 moat_child_id child);

/**
 * Forgets a child that is down for good, or any if the supervisor does not run.
 *
 * @param supervisor  not NULL
 * @param child       its number
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  supervisor is not a supervisor; there is no such child
 *         MOAT_E_STATE  it is up or will be; the caller is a coroutine inside a
 *                       task, or in another run
 *
 * Ownership:     the child's number is not valid any more
 * Thread-safety: a task, or the run's thread; any, if it does not run
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API moat_status moat_supervisor_remove_child(moat_supervisor *supervisor,
                                                  moat_child_id child);

/**
 * Returns the child after another one, in the order.
 *
 * @param supervisor  NULL is allowed
 * @param child       0: returns the first
 * @return its number; 0 if there is none, and if the caller is a coroutine
 *         inside a task
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread; any, if it does not run
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API moat_child_id moat_supervisor_next_child(moat_supervisor *supervisor,
                                                  moat_child_id child);

/**
 * Fills in the state, the counters and the last failure of a child.
 *
 * @param supervisor  not NULL
 * @param child       its number
 * @param[out] out    its struct_size set by the caller
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  supervisor is not a supervisor; there is no such child;
 *                       out is NULL, or its struct_size that of no version
 *         MOAT_E_STATE  the caller is a coroutine inside a task, or in another
 *                       run
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread; any, if it does not run
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API MOAT_NODISCARD moat_status moat_supervisor_get_child(
    moat_supervisor *supervisor, moat_child_id child, moat_child_info *out);

/**
 * Fills in the counters of a supervisor.
 *
 * @param supervisor  not NULL
 * @param[out] out    its struct_size set by the caller
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  supervisor is not a supervisor; out is NULL, or its
 *                       struct_size that of no version
 *         MOAT_E_STATE  the caller is a coroutine inside a task, or in another
 *                       run
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread; any, if it does not run
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API MOAT_NODISCARD moat_status moat_supervisor_get_info(
    moat_supervisor *supervisor, moat_supervisor_info *out);

/**
 * Reports that the calling child is ready: the supervisor can start the next
 * one (MOAT_CHILD_READY).
 *
 * @return MOAT_OK, also if it was ready before, or
 *         MOAT_E_STATE  the caller is not a task in the group of a child
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API moat_status moat_child_ready(void);

/**
 * Frees a supervisor and its children.
 *
 * @param supervisor  NULL is allowed. The call has no effect while it runs
 *
 * Ownership:     ends the caller's
 * Thread-safety: any, but no other call for it at the same time
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_supervisor_destroy(moat_supervisor *supervisor);

MOAT_END_DECLS

#endif
