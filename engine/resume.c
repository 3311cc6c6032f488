/*
 * resume.c: everything about resume and yield that is not the switch itself:
 * what the inline functions leave to the slow path, and what a return or a trap
 * needs.
 *
 * A resume is slow if the call is not legal, if the coroutine has a time limit,
 * or if a sanitizer must be told of the switch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

/* --- the guest's side ---------------------------------------------------- */

/* Under a sanitizer the root frame calls this instead of the guest's entry. */
static MOAT_NO_SANITIZE void *annotated_entry(moat_co *self, void *input)
{
    struct co_cold *cold = cold_of(co_of(self));
    void *result;

    moat_annotate_entered(&cold->fiber);
    result = cold->entry(self, input);
    moat_annotate_leave(&cold->fiber, true);
    return result;
}

void moat_resume_prepare(struct co *co, moat_entry entry)
{
    moat_co *handle = handle_of(co);

    co->activation.notrap = 0;
    co->activation.hold = 0;
    co->activation.recovers = false;
    handle->entry = entry;
    if (moat_annotate_active()) {
        cold_of(co)->entry = entry;
        handle->entry = annotated_entry;
    }
    moat_arch_first_frame(handle, co->activation.slot.base);
    handle->state = handle->token;
}

MOAT_NO_SANITIZE void *moat_co_yield_slow(moat_co *self, void *value)
{
    struct co *co = co_of(self);
    struct moat_resumed back;

    /* Whose stack a service runs on cannot leave it. */
    if (self == NULL || moat_trap_current() != &co->activation ||
        moat_call_sections(&co->activation) != 0)
        return NULL;
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    back = moat_switch_yield_slow(self, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    if (back.command != MOAT_COMMAND_NONE)
        moat_co_unwind(self);
    return back.input;
}

/* --- the end of a guest ----------------------------------------------------
 */

/* What must not be left undone if the resumer is cut in its turn. */
static void land(const struct moat_switched *back)
{
    if (back->kind == MOAT_EVENT_TRAP)
        moat_altstack_harden();
    if (back->kind == MOAT_EVENT_PANIC)
        moat_exceptions_landed(back->value);
}

static void end(const struct moat_switched *back, moat_event *out)
{
    bool yields =
        back->kind == MOAT_SWITCH_YIELD_SLOW || back->kind == MOAT_SWITCH_YIELD;

    if (!yields)
        moat_defers_run(co_of(back->co));
    out->kind = yields ? MOAT_EVENT_YIELD : (moat_event_kind)back->kind;
    out->value = back->value;
    out->co = back->co;
}

moat_status moat_resume_finish(const struct moat_switched *back,
                               moat_event *out)
{
    land(back);
    moat_hold_end();
    end(back, out);
    return MOAT_OK;
}

/* Its limits are no longer in force, and it holds nobody off. */
static void pop_limits(struct co *co)
{
    const struct moat_deadline_scope *scope = moat_limits_scope(co);

    if (scope != NULL)
        moat_deadline_pop(scope);
    co->activation.co.flags &= (uint16_t)~CO_HELD;
}

moat_status moat_co_settle(moat_co *handle, void *value, uint64_t kind,
                           moat_event *out)
{
    const struct moat_switched back = {
        value, kind & ~(uint64_t)MOAT_SWITCH_SLOW, handle};
    struct co *co = co_of(handle);

    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co);
    /* Entered by moat_co_switch_to, for the resume was not a slow one. */
    if (co->activation.co.flags & CO_HELD) {
        pop_limits(co);
        return moat_resume_finish(&back, out);
    }
    land(&back);
    end(&back, out);
    return MOAT_OK;
}

/* --- the resumer's side -------------------------------------------------- */

moat_status moat_resume_allowed(const struct co *co)
{
    moat_status status = moat_co_check_owner(co);

    if (status != MOAT_OK)
        return status;
    return co->activation.co.state == co->activation.co.token ? MOAT_OK
                                                              : MOAT_E_STATE;
}

moat_status moat_resume_check(const struct co *co, const moat_event *out)
{
    return co != NULL && out != NULL ? moat_resume_allowed(co) : MOAT_E_INVAL;
}

struct moat_deadline_scope *moat_limits_scope(const struct co *co)
{
    return co->activation.co.flags & CO_LIMITED ? &cold_of(co)->outer_limits
                                                : NULL;
}

static moat_status push_limits(struct co *co)
{
    struct moat_deadline_scope *scope = moat_limits_scope(co);
    moat_status status = MOAT_OK;

    if (scope != NULL)
        status = moat_deadline_push(scope, &cold_of(co)->limits);
    if (status == MOAT_OK)
        co->activation.co.flags |= CO_HELD;
    return status;
}

static MOAT_NO_SANITIZE void note_back(const struct moat_switched *back)
{
    struct co *co = co_of(back->co);

    if (!moat_annotate_active())
        return;
    if (back->kind == MOAT_EVENT_TRAP || back->kind == MOAT_EVENT_PANIC)
        moat_annotate_back_from_trap(&cold_of(co)->fiber);
    else
        moat_annotate_back(&cold_of(co)->fiber);
}

/* As the inline function, with bit 0 of the thread's word set so that the
 * guest's yields are slow too. */
static MOAT_NO_SANITIZE struct moat_switched enter(struct co *co, void *input,
                                                   uint64_t command)
{
    moat_co *handle = handle_of(co);
    const struct moat_slot *slot = &co->activation.slot;
    struct moat_switched back;

    handle->resumer = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    moat_arch_save_fp_control(handle);
    if (moat_annotate_active())
        moat_annotate_enter(&cold_of(co)->fiber, slot->limit, slot->base);
    MOAT_TLS_WRITE_CURRENT((uintptr_t)handle | 1);
    if (command == MOAT_COMMAND_NONE)
        back = moat_switch_resume(handle, input);
    else
        moat_arch_resume_unwinding(handle, input, &back);
    MOAT_TLS_WRITE_CURRENT(back.co->resumer);
    back.kind &= ~(uint64_t)MOAT_SWITCH_SLOW;
    note_back(&back);
    return back;
}

MOAT_NO_SANITIZE moat_status moat_resume_run(struct co *co, void *input,
                                             uint64_t command,
                                             struct moat_switched *back)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    status = push_limits(co);
    if (status != MOAT_OK) {
        moat_hold_end();
        return status;
    }
    *back = enter(co, input, command);
    pop_limits(co_of(back->co));
    return MOAT_OK;
}

MOAT_NO_SANITIZE moat_status moat_co_resume_slow(moat_co *handle, void *input,
                                                 moat_event *out)
{
    struct co *co = co_of(handle);
    struct moat_switched back;
    moat_status status = moat_resume_check(co, out);

    if (status == MOAT_OK)
        status = moat_resume_run(co, input, MOAT_COMMAND_NONE, &back);
    if (status != MOAT_OK)
        return status;
    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co_of(back.co));
    return moat_resume_finish(&back, out);
}
