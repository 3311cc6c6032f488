/*
 * trace.c: a frame is put where it belongs; a step is made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/trace.h"

bool moat_trace_emit(struct moat_trace *trace, uintptr_t pc, uintptr_t sp,
                     unsigned flags)
{
    moat_frame frame = {pc, sp, trace->co, flags};

    if (trace->see != NULL && !trace->see(&frame, trace->see_arg)) {
        trace->full = true;
        return false;
    }
    if (trace->count + trace->reserve >= trace->capacity) {
        trace->left_out++;
        trace->full = trace->reserve == 0;
        return !trace->full;
    }
    if (moat_codes_cover(moat_frame_lookup_pc(pc, flags)))
        frame.flags |= MOAT_FRAME_JIT;
    trace->frames[trace->count++] = frame;
    return true;
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

/* Locks are taken: neither a deadline nor a fork may come between. */
static bool step_guessing(struct moat_cursor *cursor)
{
    struct guess guess = {cursor, false};

    if (moat_stack_reserve(MOAT_HOLD_UNWIND_BYTES) != MOAT_OK)
        return false;
    moat_hold_enter();
    moat_walk_begin();
    if (!moat_trap_try(make_guess, &guess))
        guess.made = false;
    moat_walk_end();
    moat_hold_leave();
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
    /* Unwind information of registered code must not go under the step. */
    bool entered = moat_codes_enter();

    if (!dead)
        make_step(&step);
    else if (!moat_trap_try(make_step, &step))
        step.made = MOAT_STEP_LOST;
    if (entered)
        moat_codes_leave();
    /* Not for the dead, whose code may be unloaded under the step: libunwind
     * reads unwind information with all signals blocked and a lock held, and a
     * fault there would be the process's last. They have their frame records.
     */
    if (step.made == MOAT_STEP_LOST && !dead && step_guessing(cursor))
        return MOAT_STEP_MADE;
    return step.made;
}

const moat_co *moat_co_on_stack(void)
{
    const struct moat_activation *activation = moat_trap_current();

    if (activation == NULL)
        return NULL;
    return activation->co.state == MOAT_MARK_RUNNING
               ? &activation->co
               : moat_resumer_of(&activation->co);
}
