/*
 * resume.c: the slow paths of resume and yield, and what happens when a guest
 * ends.
 *
 * A resume is slow if the call is not legal, if the coroutine's time is added
 * up, if it has a time limit and the thread's timer does not watch, or if a
 * sanitizer must be told of the switch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/resume.h"

#include "engine/bring.h"
#include "engine/defers.h"
#include "engine/exceptions.h"
#include "engine/filter.h"
#include "engine/heaps.h"
#include "engine/host_call.h"
#include "engine/landing.h"
#include "engine/left.h"
#include "engine/nointr.h"
#include "engine/preempt.h"
#include "engine/state.h"
#include "engine/syscalls.h"
#include "engine/thread.h"
#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/deadline.h"
#include "trap/recovery.h"
#include "trap/watch.h"

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

MOAT_NO_SANITIZE moat_entry moat_co_entry(const moat_co *handle)
{
    if (handle == NULL || handle->entry != annotated_entry)
        return handle != NULL ? handle->entry : NULL;
    return cold_of(co_of(handle))->entry;
}

void moat_resume_prepare(struct co *co, moat_entry entry)
{
    /* To drop a recovery point is to close the sections inside it only. */
    if (co->recovers)
        moat_recovery_drop(co);
    moat_preempt_forget(co);
    moat_syscalls_forget(co);
    co->notrap = 0;
    co->nointr = 0;
    moat_note_sections(co);
    co->control.entry = entry;
    if (moat_annotate_active()) {
        cold_of(co)->entry = entry;
        co->control.entry = annotated_entry;
    }
    if (moat_is_copied(co)) {
        moat_copied_prepare(&owner_of(co)->copied, co);
        return;
    }
    moat_arch_first_frame(&co->control, co->slot.base);
    co->control.state = co->control.token;
}

MOAT_NO_SANITIZE void *moat_co_yield_slow(moat_co *self, void *value)
{
    struct co *co = co_of(self);
    struct moat_resumed back;

    /* A coroutine cannot yield while a host call runs on its stack. */
    if (self == NULL || moat_running() != co ||
        moat_host_call_sections(co) != 0)
        return NULL;
    moat_totals_catch_up(co, (uintptr_t)__builtin_return_address(0) - 1);
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    back = moat_switch_yield_slow(self, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    if (back.command != MOAT_COMMAND_NONE)
        moat_co_unwind(self);
    return back.input;
}

/* --- the event ------------------------------------------------------------ */

/* Runs first: if the resumer traps in what follows, the rest never runs. */
static void put_thread_right(const struct moat_switched *back)
{
    const struct moat_slot *slot = &co_of(back->co)->slot;

    if (back->kind == MOAT_EVENT_TRAP) {
        moat_altstack_settle();
        moat_landed(co_of(back->co));
        moat_copies_tell_left(moat_altstack_own(), slot->guard, slot->base);
    }
    if (back->kind == MOAT_EVENT_PANIC)
        moat_exceptions_landed(back->value);
}

static void fill_in(const struct moat_switched *back, moat_event *out)
{
    bool yields =
        back->kind == MOAT_SWITCH_YIELD_SLOW || back->kind == MOAT_SWITCH_YIELD;

    if (!yields && back->kind != MOAT_EVENT_PREEMPT)
        moat_defers_run(co_of(back->co));
    out->kind = yields ? MOAT_EVENT_YIELD : (moat_event_kind)back->kind;
    out->value = back->value;
    out->co = back->co;
}

/* A guest left so that another one can come in on the same stack: it runs under
 * the same resumer, with the value that it was sent. */
static moat_status deliver(const struct moat_switched *back, moat_event *out)
{
    struct co *next;

    if (back->kind != MOAT_SWITCH_BRING) {
        fill_in(back, out);
        return MOAT_OK;
    }
    next = owner_of(co_of(back->co))->copied.next;
    return moat_co_resume(handle_of(next), back->value, out);
}

moat_status moat_resume_finish(const struct moat_switched *back,
                               moat_event *out)
{
    moat_nointr_end();
    return deliver(back, out);
}

void moat_resume_end_clocks(struct co *co)
{
    if ((co->traits & CO_ACCOUNTED) != 0)
        moat_watch_leave_accounted(co);
    moat_watch_left();
}

/* Its resumer's deadlines need not wait for it any more. */
static void end_clocks(struct co *co)
{
    moat_resume_end_clocks(co);
    co->control.flags &= (uint16_t)~CO_RESUMER_NOINTR;
}

moat_status moat_co_settle(moat_co *handle, void *value, uint64_t kind,
                           moat_event *out)
{
    const struct moat_switched back = {
        value, kind & ~(uint64_t)MOAT_SWITCH_SLOW, handle};
    struct co *co = co_of(handle);
    moat_status status;

    moat_filter_back(moat_running());
    put_thread_right(&back);
    moat_preempt_left(co, back.kind);
    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co);
    /* This resume was inline, so an open section came from a transfer. */
    if (co->control.flags & CO_RESUMER_NOINTR) {
        end_clocks(co);
        return moat_resume_finish(&back, out);
    }
    moat_watch_left();
    if (moat_running() != NULL)
        moat_nointr_catch_up(moat_running(), MOAT_PC_OF_ENGINE);
    moat_filter_go_on(moat_running());
    status = deliver(&back, out);
    if (back.kind == MOAT_SWITCH_BRING && status == MOAT_OK &&
        out->kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co_of(out->co));
    return status;
}

/* --- the resumer's side -------------------------------------------------- */

moat_status moat_resume_check(const struct co *co, const moat_event *out)
{
    moat_status status;

    if (co == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "out is NULL");
    /* A handler of the host's, whose frames the guest's trap would overwrite.
     */
    if (moat_altstack_is_reused((uintptr_t)__builtin_frame_address(0)))
        return MOAT_E_STATE;
    status = moat_left_check();
    return status == MOAT_OK ? moat_co_check_resumable(co) : status;
}

moat_status moat_resume_begin_clocks(struct co *co)
{
    if ((co->traits & CO_ACCOUNTED) != 0) {
        if (moat_arch_is_fresh(handle_of(co)))
            moat_co_heap_meter(co);
        return moat_watch_enter_accounted(co);
    }
    return (co->traits & CO_LIMITED) != 0 ? moat_watch_enter(co) : MOAT_OK;
}

static moat_status begin_clocks(struct co *co)
{
    moat_status status = moat_resume_begin_clocks(co);

    if (status == MOAT_OK)
        co->control.flags |= CO_RESUMER_NOINTR;
    return status;
}

static MOAT_NO_SANITIZE void annotate_back(const struct moat_switched *back)
{
    struct co *co = co_of(back->co);

    if (!moat_annotate_active())
        return;
    if (back->kind == MOAT_EVENT_TRAP || back->kind == MOAT_EVENT_PANIC)
        moat_annotate_back_from_trap(&cold_of(co)->fiber);
    else
        moat_annotate_back(&cold_of(co)->fiber);
}

/* The same as the inline resume, but sets bit 0 of the thread's word so that
 * the guest's yields take the slow path, too. */
static MOAT_NO_SANITIZE struct moat_switched enter(struct co *co, void *input,
                                                   uint64_t command)
{
    moat_co *handle = handle_of(co);
    struct moat_switched back;

    handle->resumer = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    moat_arch_save_fp_control(handle);
    if (moat_annotate_active())
        moat_annotate_enter(&cold_of(co)->fiber, co->slot.limit, co->slot.base);
    MOAT_TLS_WRITE_CURRENT((uintptr_t)handle | 1);
    moat_filter_enter(co);
    if (command == MOAT_COMMAND_NONE)
        back = moat_switch_resume(handle, input);
    else
        moat_switch_resume_unwinding(handle, input, &back);
    MOAT_TLS_WRITE_CURRENT(back.co->resumer);
    moat_filter_back(moat_running());
    back.kind &= ~(uint64_t)MOAT_SWITCH_SLOW;
    annotate_back(&back);
    return back;
}

/* Otherwise a guest whose totals are used up would run until it leaves, or
 * until the timer finds it. A cancel lets it clean up. */
static bool stop_used_up(struct co *co, uint64_t command,
                         struct moat_switched *back)
{
    if ((co->traits & CO_ACCOUNTED) == 0 || command != MOAT_COMMAND_NONE ||
        !moat_deadline_stop_suspended(co))
        return false;
    *back = (struct moat_switched){NULL, MOAT_EVENT_TRAP, handle_of(co)};
    return true;
}

MOAT_NO_SANITIZE moat_status moat_resume_run(struct co *co, void *input,
                                             uint64_t command,
                                             struct moat_switched *back)
{
    moat_status status = moat_bring(co);

    if (status == MOAT_OK)
        status = moat_nointr_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK || stop_used_up(co, command, back))
        return status;
    status = moat_syscalls_ready(co, moat_running());
    if (status == MOAT_OK)
        status = begin_clocks(co);
    if (status != MOAT_OK) {
        moat_nointr_end();
        return status;
    }
    moat_preempt_entering(co);
    *back = enter(co, input, command);
    put_thread_right(back);
    moat_preempt_left(co_of(back->co), back->kind);
    end_clocks(co_of(back->co));
    return MOAT_OK;
}

/* As for the inline resume, no more is looked at while no guest runs. */
static moat_status check_away(const struct co *co, const moat_event *out)
{
    if (out != NULL && MOAT_TLS_READ(MOAT_TLS_CURRENT) == 0 &&
        co->control.state - MOAT_TLS_READ(MOAT_TLS_TOKEN) ==
            MOAT_TOKEN_STEP - 1)
        return MOAT_OK;
    return moat_resume_check(co, out);
}

/* One that has been brought in needs the library no more, unless it has limits
 * or a sanitizer watches. */
static moat_status resume_away(struct co *co, void *input, moat_event *out)
{
    moat_status status = check_away(co, out);

    if (status == MOAT_OK)
        status = moat_bring(co);
    if (status == MOAT_OK)
        status = moat_co_resume(handle_of(co), input, out);
    if (status == MOAT_OK)
        moat_copied_hide(&owner_of(co)->copied, co);
    return status;
}

MOAT_NO_SANITIZE moat_status moat_co_resume_slow(moat_co *handle, void *input,
                                                 moat_event *out)
{
    struct co *co = co_of(handle);
    struct moat_switched back;
    moat_status status;

    if (co != NULL && moat_is_away(co)) {
        status = resume_away(co, input, out);
        if (status == MOAT_OK && out->kind == MOAT_EVENT_TRAP)
            MOAT_NOTE_RESUMER(co_of(out->co));
        return status;
    }
    status = moat_resume_check(co, out);
    if (status == MOAT_OK)
        status = moat_resume_run(co, input, MOAT_COMMAND_NONE, &back);
    if (status != MOAT_OK) {
        moat_watch_refused();
        return status;
    }
    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co_of(back.co));
    return moat_resume_finish(&back, out);
}
