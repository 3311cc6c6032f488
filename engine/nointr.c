/*
 * nointr.c: uninterruptible sections, and the stack that is left to a guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/nointr.h"

#include <stdlib.h>

#include "sys/filter.h"
#include "sys/refusal.h"
#include "sys/seal.h"
#include "trap/deadline.h"
#include "trap/policy.h"
#include "trap/recovery.h"
#include "trap/stack_owner.h"

static uintptr_t stack_pointer(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

moat_status moat_stack_reserve(size_t bytes)
{
    const struct co *co = moat_running();

    if (co == NULL || moat_stack_has(co, stack_pointer(), bytes))
        return MOAT_OK;
    return moat_refuse_value(MOAT_E_LIMIT,
                             "less than %u bytes of the guest's stack are left",
                             bytes);
}

void moat_guest_stack_require(size_t stack_bytes)
{
    struct co *co = moat_running();

    if (moat_stack_reserve(stack_bytes) == MOAT_OK)
        return;
    (void)moat_filter_pause();
    moat_recovery_settle(co, stack_pointer());
    if (!moat_trap_possible(co) ||
        (co->notrap == 0 && recovery_of(co) != MOAT_CO_RECOVER_ANYWHERE))
        abort();
    moat_trap_now(co, MOAT_TRAP_STACK_OVERFLOW, 0);
}

void moat_guest_nointr_enter(void)
{
    struct co *co = moat_running();

    (void)moat_filter_pause();
    co->nointr++;
    moat_note_sections(co);
}

moat_status moat_guest_nointr_begin(size_t stack_bytes)
{
    moat_status status = moat_stack_reserve(stack_bytes);

    if (status == MOAT_OK)
        moat_guest_nointr_enter();
    return status;
}

void moat_nointr_catch_up(struct co *co, uintptr_t pc)
{
    unsigned char filter;
    bool passed;

    if (co->nointr != 0 || co->notrap != 0 || !moat_poll() ||
        !moat_policy_allows(co, pc))
        return;
    filter = moat_filter_pause();
    passed = moat_deadline_pending();
    /* A sanitizer makes system calls before what does not return. */
    if (passed)
        moat_trap_now(co, MOAT_TRAP_DEADLINE, 0);
    moat_filter_restore(filter);
}

void moat_totals_catch_up(struct co *co, uintptr_t pc)
{
    unsigned char filter;

    if ((co->traits & CO_ACCOUNTED) == 0)
        return;
    filter = moat_filter_pause();
    moat_deadline_note_used_up(co);
    moat_filter_restore(filter);
    moat_nointr_catch_up(co, pc);
}

/* After the outermost the guest's own code goes on. */
static void close_section(struct co *co)
{
    co->nointr--;
    moat_note_sections(co);
    if (co->nointr == 0)
        moat_filter_resume_guest();
}

void moat_guest_nointr_leave(void)
{
    struct co *co = moat_running();

    close_section(co);
}

void moat_guest_nointr_end(void)
{
    struct co *co = moat_running();

    close_section(co);
    moat_nointr_catch_up(co, MOAT_PC_OF_ENGINE);
}

void moat_guest_sealed_enter(void)
{
    moat_guest_nointr_enter();
    moat_seal();
}

moat_status moat_guest_sealed_begin(size_t stack_bytes)
{
    moat_status status = moat_stack_reserve(stack_bytes);

    if (status == MOAT_OK)
        moat_guest_sealed_enter();
    return status;
}

/* A signal that has waited is handled before the section of deadlines ends. */
void moat_guest_sealed_end(void)
{
    moat_unseal();
    moat_guest_nointr_end();
}
