/*
 * transfer.c: symmetric transfer, as far as it is more than a switch: limits, a
 * coroutine that has never run, sanitizers.
 *
 * The resumer is not asked. It came in by the inline resume, which knows of no
 * limits, or by the slow one, which holds its deadlines off and ends the limits
 * of whoever comes back. Where the first is to get an event of a coroutine with
 * limits, its deadlines are held off from here on, and that event goes by
 * moat_co_settle, which does what the slow resume would. CO_HELD tells which
 * coroutine's event that is; it changes hands with the place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

static struct moat_activation *resumer_of(const struct co *co)
{
    return (struct moat_activation *)moat_resumer_of(&co->activation.co);
}

static moat_status check(const struct co *co, const struct co *other,
                         void **input)
{
    if (co == NULL || other == NULL || input == NULL)
        return MOAT_E_INVAL;
    /* Whose stack a service runs on cannot leave it. */
    if (moat_trap_current() != &co->activation ||
        co->activation.co.flags & CO_CANCELLED ||
        moat_call_sections(&co->activation) != 0)
        return MOAT_E_STATE;
    return moat_resume_allowed(other);
}

/* --- the resumer ---------------------------------------------------------- */

/* Is the event of `other` more than the inline resume knows of? */
static bool must_hold(const struct co *co, const struct co *other)
{
    return !(co->activation.co.flags & CO_HELD) &&
           other->activation.co.token & 1;
}

/* The engine's code will run where the resumer stands. */
static moat_status hold_resumer(const struct co *co)
{
    struct moat_activation *resumer = resumer_of(co);
    uintptr_t sp = co->activation.co.resumer_sp;

    if (resumer == NULL)
        return MOAT_OK;
    if (sp < resumer->slot.limit || sp - resumer->slot.limit < MOAT_HOLD_BYTES)
        return MOAT_E_LIMIT;
    resumer->hold++;
    return MOAT_OK;
}

static void release_resumer(const struct co *co)
{
    struct moat_activation *resumer = resumer_of(co);

    if (resumer != NULL)
        resumer->hold--;
}

/* --- the transfer ----------------------------------------------------------
 */

static moat_status replace_limits(const struct co *co, struct co *other)
{
    const struct moat_deadline_scope *leaving = moat_limits_scope(co);
    struct moat_deadline_scope *entering = moat_limits_scope(other);

    if (leaving == NULL && entering == NULL)
        return MOAT_OK;
    return moat_deadline_replace(
        leaving, entering, entering != NULL ? &cold_of(other)->limits : NULL);
}

/* What can fail. Deadlines are held off for the caller. */
static moat_status prepare(struct co *co, struct co *other)
{
    bool hold = must_hold(co, other);
    moat_status status = hold ? hold_resumer(co) : MOAT_OK;

    if (status != MOAT_OK)
        return status;
    status = replace_limits(co, other);
    if (status != MOAT_OK && hold)
        release_resumer(co);
    if (status == MOAT_OK && (hold || co->activation.co.flags & CO_HELD)) {
        co->activation.co.flags &= (uint16_t)~CO_HELD;
        other->activation.co.flags |= CO_HELD;
    }
    return status;
}

/*
 * What cannot. A deadline waits again once the thread's word names a coroutine
 * that is not RUNNING; bit 0 sends its yields to where limits and sanitizers
 * are seen to.
 */
static MOAT_NO_SANITIZE struct moat_arch_input
switch_over(struct co *co, struct co *other, void *value)
{
    moat_co *self = handle_of(co), *next = handle_of(other);
    const struct moat_slot *slot = &other->activation.slot;
    uintptr_t slow = other->activation.co.flags & CO_HELD ? 1 : 0;
    struct moat_arch_input back;

    moat_arch_take_place(next, self);
    MOAT_TLS_WRITE_CURRENT((uintptr_t)next | slow);
    co->activation.hold--;
    if (moat_annotate_active())
        moat_annotate_pass(&cold_of(co)->fiber, &cold_of(other)->fiber,
                           slot->limit, slot->base);
    back = moat_arch_switch_to(self, next, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    return back;
}

MOAT_NO_SANITIZE moat_status moat_co_switch_to_slow(moat_co *self,
                                                    moat_co *other, void *value,
                                                    void **input)
{
    struct co *co = co_of(self), *next = co_of(other);
    struct moat_arch_input back;
    moat_status status = check(co, next, input);

    if (status == MOAT_OK)
        status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = prepare(co, next);
    if (status != MOAT_OK) {
        moat_hold_end();
        return status;
    }
    back = switch_over(co, next, value);
    if (back.command != MOAT_COMMAND_NONE)
        moat_co_unwind(self);
    *input = back.input;
    return MOAT_OK;
}
