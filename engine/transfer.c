/*
 * transfer.c: the slow path of symmetric transfer: limits, a coroutine that has
 * never run, sanitizers.
 *
 * The resumer is not involved in a transfer. It used either the inline resume,
 * which ignores limits, or the slow resume, which opened an uninterruptible
 * section and will end the limits of the coroutine that comes back. If the
 * resumer used the inline resume and `other` has limits, the transfer opens
 * that section on the resumer's behalf, and the event goes through
 * moat_co_settle, which does what the slow resume would have done.
 * CO_RESUMER_NOINTR marks the coroutine whose event closes the section; it
 * passes from one coroutine to the other with the transfer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/bring.h"
#include "engine/filter.h"
#include "engine/host_call.h"
#include "engine/nointr.h"
#include "engine/preempt.h"
#include "engine/resume.h"
#include "engine/state.h"
#include "engine/syscalls.h"
#include "engine/thread.h"
#include "sys/refusal.h"
#include "trap/asides.h"
#include "trap/stack_owner.h"
#include "trap/watch.h"

static moat_status check(const struct co *co, const struct co *other,
                         void **input)
{
    if (co == NULL || other == NULL || input == NULL)
        return moat_refuse(MOAT_E_INVAL, co == NULL      ? "self is NULL"
                                         : other == NULL ? "other is NULL"
                                                         : "input is NULL");
    /* A coroutine cannot switch while a host call runs on its stack. */
    if (moat_running() != co || co->control.flags & CO_CANCELLED ||
        moat_host_call_sections(co) != 0)
        return MOAT_E_STATE;
    return moat_co_check_resumable(other);
}

/* --- the resumer ---------------------------------------------------------- */

/* Returns whether an event of `other` needs more than the inline resume does.
 */
static bool needs_settling(const struct co *co, const struct co *other)
{
    return !(co->control.flags & CO_RESUMER_NOINTR) && other->control.token & 1;
}

/* Opens a section for the resumer: moat_co_settle will run on its stack. */
static moat_status enter_for_resumer(const struct co *co)
{
    struct co *resumer = resumer_of(co);
    uintptr_t sp = moat_switch_resumer_sp(&co->control);

    if (resumer == NULL)
        return MOAT_OK;
    if (!moat_stack_has(resumer, sp, MOAT_STACK_FOR_ENTRY))
        return moat_refuse_value(MOAT_E_LIMIT,
                                 "less than %u bytes of the resumer's stack "
                                 "are left",
                                 MOAT_STACK_FOR_ENTRY);
    resumer->nointr++;
    return MOAT_OK;
}

static void leave_for_resumer(const struct co *co)
{
    struct co *resumer = resumer_of(co);

    if (resumer != NULL)
        resumer->nointr--;
}

/* --- the transfer ----------------------------------------------------------
 */

/* All that can fail. The caller is in an uninterruptible section. */
static moat_status prepare(struct co *co, struct co *other)
{
    bool settle = needs_settling(co, other);
    moat_status status = settle ? enter_for_resumer(co) : MOAT_OK;

    if (status != MOAT_OK)
        return status;
    if ((co->traits & CO_ACCOUNTED) != 0)
        moat_watch_leave_accounted(co);
    status = moat_syscalls_ready(other, resumer_of(co));
    if (status == MOAT_OK)
        status = moat_resume_begin_clocks(other);
    if (status != MOAT_OK) {
        moat_filter_keep(co);
        if (settle)
            leave_for_resumer(co);
        return status;
    }
    moat_asides_end_waiting(resumer_of(co));
    if (settle || co->control.flags & CO_RESUMER_NOINTR) {
        co->control.flags &= (uint16_t)~CO_RESUMER_NOINTR;
        other->control.flags |= CO_RESUMER_NOINTR;
    }
    return status;
}

/*
 * All that cannot fail. The section is closed once the thread's word names
 * `other`: as that one is not RUNNING yet, a deadline still waits. Bit 0 of the
 * word sends its yields to the slow path, which handles limits and sanitizers.
 */
static MOAT_NO_SANITIZE struct moat_switch_input
switch_over(struct co *co, struct co *other, void *value)
{
    moat_co *self = handle_of(co), *next = handle_of(other);
    uintptr_t slow = other->control.flags & CO_RESUMER_NOINTR ? 1 : 0;
    struct moat_switch_input back;

    moat_switch_take_over(next, self);
    MOAT_TLS_WRITE_CURRENT((uintptr_t)next | slow);
    co->nointr--;
    moat_note_sections(co);
    moat_filter_enter(other);
    if (moat_annotate_active())
        moat_annotate_transfer(&cold_of(co)->fiber, &cold_of(other)->fiber,
                               other->slot.limit, other->slot.base);
    back = moat_switch_to(self, next, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    return back;
}

/* --- on one stack ----------------------------------------------------------
 */

static bool shares_stack(const struct co *co, const struct co *next)
{
    return moat_is_away(next) &&
           moat_copied_occupant(&owner_of(next)->copied, next) == co;
}

/* The frames of the one cannot make room for those of the other while they run:
 * the resumer brings the other in, and resumes it. */
static MOAT_NO_SANITIZE struct moat_resumed
leave_for(struct co *co, struct co *next, void *value)
{
    struct moat_resumed back = {handle_of(co), NULL, MOAT_SWITCH_BRING};

    owner_of(co)->copied.next = next;
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    MOAT_SWITCH_LEAVE(back, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    return back;
}

static moat_status switch_on_one_stack(struct co *co, struct co *next,
                                       void *value, void **input)
{
    struct moat_resumed back = leave_for(co, next, value);

    if (back.command != MOAT_COMMAND_NONE)
        moat_co_unwind(back.self);
    *input = back.input;
    return MOAT_OK;
}

MOAT_NO_SANITIZE moat_status moat_co_switch_to_slow(moat_co *self,
                                                    moat_co *other, void *value,
                                                    void **input)
{
    struct co *co = co_of(self), *next = co_of(other);
    struct moat_switch_input back;
    moat_status status = check(co, next, input);

    if (status == MOAT_OK) {
        moat_totals_catch_up(co, (uintptr_t)__builtin_return_address(0) - 1);
        if (shares_stack(co, next))
            return switch_on_one_stack(co, next, value, input);
        status = moat_bring(next);
    }
    if (status == MOAT_OK)
        status = moat_nointr_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = prepare(co, next);
    if (status != MOAT_OK) {
        moat_nointr_end();
        return status;
    }
    moat_preempt_left(co, MOAT_SWITCH_YIELD);
    moat_preempt_entering(next);
    back = switch_over(co, next, value);
    if (back.command != MOAT_COMMAND_NONE)
        moat_co_unwind(self);
    *input = back.input;
    return MOAT_OK;
}
