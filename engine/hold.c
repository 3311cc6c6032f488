/*
 * hold.c: the engine's own code on a guest's stack: guests create, resume and
 * destroy coroutines too. A deadline must not cut it half-way, and it must not
 * overflow the guest's stack while it holds a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

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

void moat_hold_enter(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation != NULL)
        activation->hold++;
}

moat_status moat_hold_begin(size_t stack_bytes)
{
    moat_status status = moat_stack_reserve(stack_bytes);

    if (status == MOAT_OK)
        moat_hold_enter();
    return status;
}

/* The deadline that came while it had to wait. */
static void catch_up(struct moat_activation *activation)
{
    if (activation->hold == 0 && activation->notrap == 0 &&
        moat_deadline_pending())
        moat_trap_now(activation, MOAT_TRAP_DEADLINE, 0);
}

void moat_hold_end(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation == NULL)
        return;
    activation->hold--;
    catch_up(activation);
}

void moat_notrap_enter(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation != NULL)
        activation->notrap++;
}

void moat_notrap_leave(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation == NULL || activation->notrap == 0)
        return;
    activation->notrap--;
    catch_up(activation);
}

void moat_notrap_enter_undo(void)
{
    struct moat_activation *activation = moat_trap_current();

    if (activation != NULL)
        activation->notrap--;
}
