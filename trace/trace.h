/*
 * trace.h: what the walks over live and over dead stacks share: where frames
 * go, and the step from one to the next.
 *
 * Frames carry the public handles of their coroutines, so the walks do, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_TRACE_H
#define MOAT_TRACE_TRACE_H

#include <moat/backtrace.h>

#include "trace/ends.h"
#include "trace/lock_search.h"
#include "trap/coroutine.h"
#include "unwind/step.h"

struct moat_unwind_frame {
    uintptr_t pc, sp;
    bool interrupted; /* by a signal, or where a coroutine resumed: the frame
                         before it may lie on another stack */
};

/* Where the frames of a walk go: into an array that keeps the innermost ones,
 * or into one that keeps both ends; and past a search for locks. */
struct moat_trace {
    moat_frame *frames;
    size_t capacity, count;
    bool full;         /* a frame did not fit, and the array takes no more  */
    const moat_co *co; /* the coroutine of the next frame; NULL: the host   */
    struct moat_both_ends *ends;    /* NULL: they go into `frames`           */
    struct moat_lock_search *locks; /* NULL: no search                       */
};

/* Hands a frame to all sinks. Returns whether any of them wants more. A fault
 * of the store is the caller's. */
bool moat_trace_emit(struct moat_trace *trace, uintptr_t pc, uintptr_t sp,
                     unsigned flags);

/* MOAT_E_FULL: there are more frames than the caller's array takes.
 * Signal-safe: yes. */
moat_status moat_trace_refuse_full(size_t capacity);

/* Returns whether any sink wants more frames. Signal-safe: yes. */
bool moat_trace_wants_more(const struct moat_trace *trace);

/* Steps to the caller's frame, by guesses where there is no other way. On a
 * dead stack another thread may unload the code and its unwind information
 * meanwhile. Signal-safe: yes, except for guesses. */
enum moat_step moat_trace_step(struct moat_cursor *cursor, bool dead);

/* A walk that asks libunwind or libdw is neither stopped by a deadline nor torn
 * by a fork. */
void moat_trace_begin(void);
void moat_trace_end(void);

/* Returns the coroutine on whose stack the thread is, or was before it entered
 * a handler; NULL: the host's. In the middle of a switch the current coroutine
 * is not on its stack, and its record leads nowhere: then it is its resumer.
 * Signal-safe: yes. */
const moat_co *moat_co_on_stack(void);

/* Returns who resumed a coroutine; NULL: the host. Signal-safe: yes. */
static inline const moat_co *moat_resumer_of(const moat_co *co)
{
    return (const moat_co *)resumer_of(co_of(co));
}

static inline bool moat_is_root(uintptr_t pc)
{
    return pc == (uintptr_t)moat_root_return;
}

static inline bool moat_is_on_stack_of(const moat_co *co, uintptr_t sp)
{
    const struct moat_slot *slot = &co_of(co)->slot;

    return sp >= slot->limit && sp < slot->base;
}

/* The stack pointer of the caller of the function that uses the macro. The
 * frames before the caller's are the library's, and are not shown. */
#define MOAT_CALLER_SP \
    ((uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *))

#endif
