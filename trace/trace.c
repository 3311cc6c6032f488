/*
 * trace.c: frames handed to their sinks; steps from frame to frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/trace.h"

#include "engine/nointr.h"
#include "engine/room.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "sys/refusal.h"
#include "trace/frame.h"
#include "trap/probe.h"
#include "unwind/walk_libunwind.h"
#include "unwind/walks.h"

void moat_trace_begin(void)
{
    moat_nointr_enter();
    moat_walk_begin();
}

void moat_trace_end(void)
{
    moat_walk_end();
    moat_nointr_end();
}

moat_status moat_trace_refuse_full(size_t capacity)
{
    return moat_refuse_value(MOAT_E_FULL,
                             "capacity is %u: there are more frames", capacity);
}

bool moat_trace_wants_more(const struct moat_trace *trace)
{
    return !trace->full ||
           (trace->locks != NULL && trace->locks->found == NULL);
}

static void put(struct moat_trace *trace, moat_frame *frame)
{
    if (trace->ends == NULL && trace->count == trace->capacity) {
        trace->full = true;
        return;
    }
    if (moat_codes_cover(moat_frame_lookup_pc(frame->pc, frame->flags)))
        frame->flags |= MOAT_FRAME_JIT;
    if (trace->ends != NULL)
        moat_ends_put(trace->ends, frame);
    else
        trace->frames[trace->count++] = *frame;
}

bool moat_trace_emit(struct moat_trace *trace, uintptr_t pc, uintptr_t sp,
                     unsigned flags)
{
    moat_frame frame = {pc, sp, trace->co, flags};

    if (trace->locks != NULL)
        (void)moat_lock_search_see(trace->locks, &frame);
    if (!trace->full)
        put(trace, &frame);
    return moat_trace_wants_more(trace);
}

struct guess {
    struct moat_cursor *cursor;
    bool made;
};

static void make_guess(void *arg)
{
    struct guess *guess = arg;

    guess->made = moat_cursor_step_guessing(guess->cursor);
}

/* libunwind takes locks: neither a deadline nor a fork may come in between. */
static bool step_guessing(struct moat_cursor *cursor)
{
    struct guess guess = {cursor, false};

    if (!moat_room_for(MOAT_STACK_FOR_GUESS))
        return false;
    moat_nointr_enter();
    moat_walk_begin();
    if (!moat_trap_try(make_guess, &guess))
        guess.made = false;
    moat_walk_end();
    moat_nointr_leave();
    return guess.made;
}

struct step {
    struct moat_cursor *cursor;
    enum moat_step made;
};

static void make_step(void *arg)
{
    struct step *step = arg;

    step->made = moat_cursor_step(step->cursor, moat_codes_describe);
}

enum moat_step moat_trace_step(struct moat_cursor *cursor, bool dead)
{
    struct step step = {cursor, MOAT_STEP_LOST};
    /* Unwind information of registered code must not be freed during the step.
     */
    bool entered = moat_codes_enter();

    if (!dead)
        make_step(&step);
    else if (!moat_trap_try(make_step, &step))
        step.made = MOAT_STEP_LOST;
    if (entered)
        moat_grace_leave();
    /* libunwind reads unwind information with all signals blocked and a lock
     * held, so a fault there would end the process. The code of a dead stack
     * may be unloaded during the step: it is walked by frame records instead.
     */
    if (step.made == MOAT_STEP_LOST && !dead && step_guessing(cursor))
        return MOAT_STEP_MADE;
    return step.made;
}

const moat_co *moat_co_on_stack(void)
{
    const struct co *co = moat_running();

    if (co == NULL)
        return NULL;
    return handle_of(moat_is_entered(co) ? co : resumer_of(co));
}
