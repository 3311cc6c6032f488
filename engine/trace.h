/*
 * trace.h: what the walks over live and over dead stacks share: where frames
 * go, and the step from one to the next.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_TRACE_H
#define MOAT_ENGINE_TRACE_H

#include "engine/internal.h"
#include "unwind/unwind.h"

struct moat_trace {
    moat_frame *frames;
    size_t capacity, count;
    size_t reserve;    /* room kept for the root and its resumers    */
    size_t left_out;   /* frames that would have used that room      */
    bool full;         /* a frame did not fit                        */
    const moat_co *co; /* the coroutine that the next frame is in    */
    bool (*see)(const moat_frame *, void *); /* is shown each; or NULL     */
    void *see_arg;
};

/* False: no more is wanted. A fault of the store is the caller's. */
bool moat_trace_emit(struct moat_trace *trace, uintptr_t pc, uintptr_t sp,
                     unsigned flags);

/* To the caller's frame, by guesses where there is no other way. On a dead
 * stack nothing keeps the code that it leads to from being unloaded meanwhile,
 * with its unwind information. Signal-safe: yes, but for guesses. */
enum moat_step moat_trace_step(struct moat_cursor *cursor, bool dead);

/* Whose stack the thread is on, or has left for a handler's; NULL: the host's.
 * In the middle of a switch the current one is not yet on its stack, or no
 * more, and its record leads nowhere. Signal-safe: yes. */
const moat_co *moat_co_on_stack(void);

static inline bool moat_is_root(uintptr_t pc)
{
    return pc == (uintptr_t)moat_root_return;
}

static inline bool moat_is_on_stack_of(const moat_co *co, uintptr_t sp)
{
    const struct moat_slot *slot = &co_of(co)->activation.slot;

    return sp >= slot->limit && sp < slot->base;
}

/* --- live_chain.c -------------------------------------------------------- */

/* Appends the caller's live chain from the frame that resumed `co`; nothing if
 * that frame is gone. */
void moat_live_append(const struct co *co, struct moat_trace *trace,
                      uintptr_t from_sp);

#endif
