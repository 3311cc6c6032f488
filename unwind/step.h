/*
 * step.h: a step from a frame to its caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_STEP_H
#define MOAT_UNWIND_STEP_H

#include <moat/code.h>

#include "unwind/cursor.h"

enum moat_step {
    MOAT_STEP_MADE,
    MOAT_STEP_END, /* the outermost frame, or one that leads nowhere */
    MOAT_STEP_LOST /* no unwind information, or of no use            */
};

/* Fills in what the host has registered of the code at pc; false: nothing. */
typedef bool moat_unwind_lookup(uintptr_t pc, moat_code *out);

/* Moves to the caller's frame; crosses coroutine borders. Code that `lookup`
 * knows is unwound as registered. Faults are survived. No lock, no heap, no
 * system call: async-signal-safe. */
enum moat_step moat_cursor_step(struct moat_cursor *cursor,
                                moat_unwind_lookup *lookup);

#endif
