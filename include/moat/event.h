/*
 * event.h: what a coroutine did, and the state that it is in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EVENT_H
#define MOAT_EVENT_H

#include <moat/cpu.h>

/** The reason why a resume returned. */
typedef enum moat_event_kind {
    /* The guest yielded the event's value. */
    MOAT_EVENT_YIELD = 1,
    /* The entry function returned the event's value. Now DONE. */
    MOAT_EVENT_RETURN = 2,
    /* The guest trapped: see moat_co_trap_info. Now TRAPPED. */
    MOAT_EVENT_TRAP = 3,
    /* The guest's time slice ended (moat_limits.slice_ns). Now SUSPENDED, at
     * any of its instructions: the next resume continues there, and its input
     * is not used. */
    MOAT_EVENT_PREEMPT = 4,
    /* An exception reached the root frame. The value is a struct
     * _Unwind_Exception * that the host now owns (_Unwind_DeleteException). Now
     * DONE. */
    MOAT_EVENT_PANIC = 5,
    /* A task was cancelled (moat-sched). No resume has this event. */
    MOAT_EVENT_CANCELLED = 32
} moat_event_kind;

/** The event of a resume or a cancel. */
typedef struct moat_event {
    moat_event_kind kind;
    /* NULL for the kinds that have none. */
    void *value;
    /* The coroutine that the event is from: the one that was resumed, or the
     * one that runs in its place after a transfer (moat_co_switch_to). */
    moat_co *co;
} moat_event;

/* X(name, number, text). Numbers are pinned. */
/* clang-format off */
#define MOAT_CO_STATE_MAP(X)                                                   \
    X(MOAT_CO_FRESH,     1, "fresh")                                           \
    X(MOAT_CO_RUNNING,   2, "running")                                         \
    X(MOAT_CO_RESUMING,  3, "resuming")                                        \
    X(MOAT_CO_SUSPENDED, 4, "suspended")                                       \
    X(MOAT_CO_DONE,      5, "done")                                            \
    X(MOAT_CO_TRAPPED,   6, "trapped")
/* clang-format on */

/**
 * The state of a coroutine.
 *
 * RESUMING: it waits for another coroutine, which it has resumed.
 * docs/states.md shows the transitions and what each function does in each
 * state.
 */
typedef enum moat_co_state {
    /* The state of NULL. */
    MOAT_CO_INVALID = 0,
#define MOAT_CO_STATE_ENUM(name, number, text) name = number,
    MOAT_CO_STATE_MAP(MOAT_CO_STATE_ENUM)
#undef MOAT_CO_STATE_ENUM
        MOAT_CO_STATE_FORCE_INT = 0x7fffffff
} moat_co_state;

#endif
