/*
 * notrap.c: no-trap sections: code of a guest in which a fault is the host's
 * and a deadline waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/coroutine.h"
#include "engine/defers.h"
#include "engine/filter.h"
#include "engine/host_call.h"
#include "engine/landing.h"
#include "engine/nointr.h"
#include "engine/trap_info.h"
#include "engine/unwinding.h"
#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/recovery.h"

/* An address in the call that led to the public function using the macro. */
#define CALLER_PC ((uintptr_t)__builtin_return_address(0) - 1)

/* More than code nests, and far from where the count would wrap, even with the
 * sections that the engine adds: such a guest never leaves its sections. */
#define MAX_SECTIONS 65535u

/* Returns how many sections were open when the engine opened its innermost one.
 * Only the end of the call that it belongs to closes that one. */
static uint32_t engine_sections(const struct co *co)
{
    uint32_t of_host_call = moat_host_call_sections(co);
    const struct moat_recovery *recovery = moat_recovery_innermost(co);
    uint32_t of_recovery = recovery != NULL ? recovery->notrap : 0;

    return of_host_call > of_recovery ? of_host_call : of_recovery;
}

/* Calls of moat_notrap_call that a longjmp has left. */
static void close_left_calls(struct co *co)
{
    if (co->recovers)
        moat_recovery_settle(co, (uintptr_t)__builtin_frame_address(0));
}

void moat_notrap_enter(void)
{
    struct co *co = moat_running();

    if (co == NULL)
        return;
    close_left_calls(co);
    if (co->notrap >= MAX_SECTIONS)
        abort();
    co->notrap++;
    moat_note_sections(co);
}

void moat_notrap_leave(void)
{
    struct co *co = moat_running();

    if (co == NULL)
        return;
    close_left_calls(co);
    if (co->notrap <= engine_sections(co))
        return;
    co->notrap--;
    moat_note_sections(co);
    moat_nointr_catch_up(co, CALLER_PC);
}

static moat_status call(struct co *co, void (*fn)(void *), void *arg,
                        moat_trap_info *out, uintptr_t slot)
{
    const struct co *ending = moat_ending_innermost(co);
    moat_status status = moat_trap_recover(co, fn, arg, slot);

    if (status != MOAT_E_FAULT)
        return status;
    (void)moat_filter_pause();
    moat_annotate_unwind();
    moat_altstack_settle();
    moat_landed(co);
    moat_ending_drop(co, ending);
    if (out != NULL)
        moat_trap_describe(co, out);
    moat_filter_go_on(co);
    return MOAT_E_FAULT;
}

moat_status moat_notrap_call(void (*fn)(void *), void *arg, moat_trap_info *out)
{
    struct co *co = moat_running();
    unsigned unwindings;
    moat_status status;

    if (fn == NULL)
        return moat_refuse(MOAT_E_INVAL, "fn is NULL");
    status = out != NULL ? moat_trap_info_check(out) : MOAT_OK;
    if (status != MOAT_OK)
        return status;
    if (co == NULL)
        return MOAT_E_STATE;
    status = moat_stack_reserve(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    close_left_calls(co);
    unwindings = moat_unwindings(co);
    status = call(co, fn, arg, out,
                  MOAT_ARCH_RETURN_SLOT(__builtin_frame_address(0)));
    moat_nointr_catch_up(co, CALLER_PC);
    /* fn was being unwound when it faulted: the unwinding goes on here. */
    if (status == MOAT_E_FAULT && moat_unwindings(co) != unwindings)
        moat_co_unwind(handle_of(co));
    return status;
}
