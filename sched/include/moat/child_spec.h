/*
 * child_spec.h: the children of supervisors: how each is started, restarted and
 * stopped, and what is known of it. <moat/supervisor.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CHILD_SPEC_H
#define MOAT_CHILD_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include <moat/event.h>
#include <moat/status.h>
#include <moat/task.h>
#include <moat/trap.h>

/* A child's number in its supervisor, from 1; it is not used again. 0: none.
 */
typedef uint64_t moat_child_id;

/** When a child is started again. A child that returns has ended normally;
 * one that traps, is left by an exception, is cancelled other than by its
 * supervisor, or cannot be started has failed. */
typedef enum moat_restart {
    /* However it ends. */
    MOAT_RESTART_PERMANENT = 0,
    /* If it fails. */
    MOAT_RESTART_TRANSIENT = 1,
    /* Never. */
    MOAT_RESTART_TEMPORARY = 2
} moat_restart;

/* Flags of a child. */
#define MOAT_CHILD_FORGET 1u /* is removed when it is down for good */
#define MOAT_CHILD_READY  2u /* the next one starts after moat_child_ready */

/** A child. Initialise the struct with MOAT_CHILD_SPEC_INIT. */
typedef struct moat_child_spec {
    /* sizeof(moat_child_spec); MOAT_CHILD_SPEC_INIT sets it. */
    size_t struct_size;
    /* Shown in reports, also as the task's name; copied, the first 23 bytes.
     * NULL: that of `options`. */
    const char *name;
    /* Not NULL. It is called again with the same argument at each restart. */
    moat_task_fn fn;
    void *arg;
    /* Of its task; copied. NULL: all defaults. */
    const moat_task_options *options;
    moat_restart restart;
    /* MOAT_CHILD_FORGET, MOAT_CHILD_READY. */
    unsigned flags;
    /* Asks the child to end, for example by closing its channel; called with
     * `arg` in the supervisor's task. NULL: it is cancelled at once. */
    void (*stop)(void *arg);
    /* Time from `stop` until the child is cancelled, and from then until it is
     * reported as stuck. 0: 5 s. */
    uint64_t stop_ns;
} moat_child_spec;

#define MOAT_CHILD_SPEC_INIT                             \
    {                                                    \
        sizeof(moat_child_spec), NULL, NULL, NULL, NULL, \
            MOAT_RESTART_PERMANENT, 0, NULL, 0           \
    }

/** The state of a child. */
typedef enum moat_child_state {
    /* Not started: the supervisor does not run. */
    MOAT_CHILD_IDLE = 0,
    /* Will be started: in its turn, or at the end of its back-off. */
    MOAT_CHILD_WAITING = 1,
    MOAT_CHILD_UP = 2,
    /* Is being stopped. */
    MOAT_CHILD_STOPPING = 3,
    /* Has ended for good, by its policy. */
    MOAT_CHILD_FINISHED = 4,
    /* Was stopped by moat_supervisor_stop_child. */
    MOAT_CHILD_STOPPED = 5,
    /* Has failed too often. */
    MOAT_CHILD_GIVEN_UP = 6
} moat_child_state;

/** State, counters and last failure of a child. */
typedef struct moat_child_info {
    /* sizeof(moat_child_info); MOAT_CHILD_INFO_INIT sets it. */
    size_t struct_size;
    moat_child_id id;
    char name[24];
    moat_child_state state;
    /* Times that it was started, the first included. */
    uint64_t starts;
    /* How it has ended. */
    uint64_t returned, trapped, panicked, cancelled;
    /* On moat_now; 0: never. */
    uint64_t started_at, failed_at;
    /* The last end that was neither a return nor ordered by the supervisor;
     * `value` is NULL. Its kind is MOAT_EVENT_RETURN if there was none. */
    moat_result last_failure;
} moat_child_info;

#define MOAT_CHILD_INFO_INIT                                                   \
    {                                                                          \
        sizeof(moat_child_info), 0, {0}, MOAT_CHILD_IDLE, 0, 0, 0, 0, 0, 0, 0, \
        {                                                                      \
            MOAT_EVENT_RETURN, NULL, MOAT_TRAP_INFO_INIT, MOAT_OK              \
        }                                                                      \
    }

#endif
