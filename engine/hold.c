/*
 * hold.c: the engine's own code on a guest's stack: guests create, resume and
 * destroy coroutines too. A deadline must not cut it half-way, and it must not
 * overflow the guest's stack while it holds a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/internal.h"

/* In the call that led to the public function in which it stands. */
#define CALLER_PC ((uintptr_t)__builtin_return_address(0) - 1)

/* In moat's own code, which nobody registers. */
#define ENGINE_PC ((uintptr_t)0)

static uintptr_t stack_pointer(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

moat_status moat_stack_reserve(size_t bytes)
{
    const struct moat_activation *activation = moat_trap_current();
    uintptr_t sp = stack_pointer();

    if (activation == NULL)
        return MOAT_OK;
    if (sp < activation->slot.limit || sp - activation->slot.limit < bytes)
        return MOAT_E_LIMIT;
    return MOAT_OK;
}

void moat_guest_hold_enter(void)
{
    struct moat_activation *activation = moat_trap_current();

    activation->hold++;
    moat_activation_note_sections(activation);
}

moat_status moat_guest_hold_begin(size_t stack_bytes)
{
    moat_status status = moat_stack_reserve(stack_bytes);

    if (status == MOAT_OK)
        moat_guest_hold_enter();
    return status;
}

void moat_guest_hold_require(size_t stack_bytes)
{
    struct moat_activation *activation = moat_trap_current();

    if (moat_stack_reserve(stack_bytes) == MOAT_OK)
        return;
    if (!moat_trap_possible(activation) ||
        (activation->notrap == 0 &&
         activation->policy != MOAT_CO_RECOVER_ANYWHERE))
        abort();
    moat_trap_now(activation, MOAT_TRAP_STACK_OVERFLOW, 0);
}

/* The deadline that came while it had to wait; `pc` is in the guest. Where the
 * policy does not allow it the timer looks again. */
static void catch_up(struct moat_activation *activation, uintptr_t pc)
{
    if (activation->hold == 0 && activation->notrap == 0 && moat_poll() &&
        moat_policy_allows(activation, pc) && moat_deadline_pending())
        moat_trap_now(activation, MOAT_TRAP_DEADLINE, 0);
}

void moat_guest_hold_leave(void)
{
    struct moat_activation *activation = moat_trap_current();

    activation->hold--;
    moat_activation_note_sections(activation);
}

void moat_guest_hold_end(void)
{
    struct moat_activation *activation = moat_trap_current();

    activation->hold--;
    moat_activation_note_sections(activation);
    catch_up(activation, ENGINE_PC);
}

/* Deeper than code nests, and far from where the count would wrap, also with
 * those that the engine opens on top: a guest that never leaves. */
#define SECTIONS_MOST 65535u

/* How many were open when the engine opened the innermost of its own: what
 * closes that one is the end of the call that it belongs to. */
static uint32_t sections_of_engine(const struct moat_activation *activation)
{
    uint32_t of_visit = moat_call_sections(activation);
    uint32_t of_recovery =
        activation->recovers ? moat_trap_record_of(activation)->recovery->notrap
                             : 0;

    return of_visit > of_recovery ? of_visit : of_recovery;
}

void moat_notrap_enter(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation == NULL)
        return;
    if (activation->notrap >= SECTIONS_MOST)
        abort();
    activation->notrap++;
    moat_activation_note_sections(activation);
}

void moat_notrap_leave(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation == NULL ||
        activation->notrap <= sections_of_engine(activation))
        return;
    activation->notrap--;
    moat_activation_note_sections(activation);
    catch_up(activation, CALLER_PC);
}

static moat_status call(struct co *co, void (*fn)(void *), void *arg,
                        moat_trap_info *out)
{
    const struct co *ending = moat_ending_innermost(co);

    if (moat_trap_recover(&co->activation, fn, arg))
        return MOAT_OK;
    moat_annotate_unwind();
    moat_altstack_harden();
    moat_ending_drop(co, ending);
    if (out != NULL)
        moat_fault_describe(co, out);
    return MOAT_E_FAULT;
}

moat_status moat_notrap_call(void (*fn)(void *), void *arg, moat_trap_info *out)
{
    struct moat_activation *activation = moat_trap_current();
    unsigned unwindings;
    struct co *co;
    moat_status status;

    if (fn == NULL)
        return MOAT_E_INVAL;
    if (activation == NULL)
        return MOAT_E_STATE;
    status = moat_stack_reserve(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    co = co_of(&activation->co);
    unwindings = moat_unwindings(co);
    status = call(co, fn, arg, out);
    catch_up(activation, CALLER_PC);
    /* fn was being unwound, and its caller is yet to be. */
    if (status == MOAT_E_FAULT && moat_unwindings(co) != unwindings)
        moat_co_unwind(&activation->co);
    return status;
}
