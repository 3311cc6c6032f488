/*
 * interrupted.c: whether the calling code is a guest's or that of a handler of
 * the host's that has interrupted it.
 *
 * Most handlers are known by what they block (trap/host_handler.h). One that
 * blocks nothing has nothing but its frame, and a dead frame in the memory of a
 * guest's buffer looks the same. So if there is a frame the callers are walked:
 * a live one is among them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/interrupted.h"

#include "engine/nointr.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "trap/host_handler.h"
#include "trap/stack_owner.h"
#include "unwind/step.h"

static enum moat_step step(struct moat_cursor *cursor)
{
    bool entered = moat_codes_enter();
    enum moat_step made = moat_cursor_step(cursor, moat_codes_describe);

    if (entered)
        moat_grace_leave();
    return made;
}

/* The caller of a frame that a signal has made continues where its pc is; any
 * other, after a call. */
static bool walk_finds_handler(uintptr_t from)
{
    struct moat_cursor cursor;
    moat_regs regs;

    moat_arch_capture(&regs);
    moat_cursor_set(&cursor, &regs, true);
    while (cursor.pc != (uintptr_t)moat_root_return &&
           step(&cursor) == MOAT_STEP_MADE) {
        if (cursor.exact && cursor.sp > from)
            return true;
    }
    return false;
}

bool moat_is_interrupted(const struct co *running, uintptr_t sp)
{
    bool found;

    if (moat_host_handler_is_at(running, sp))
        return true;
    if (!moat_host_handler_may_be_at(running, sp) ||
        !moat_stack_has(running, sp, MOAT_STACK_FOR_WALK))
        return false;
    moat_nointr_enter();
    found = walk_finds_handler(sp);
    moat_nointr_leave();
    return found;
}
