/*
 * recovery.c: where a fault of the running coroutine goes, and traps that are
 * raised by a call instead of a signal.
 *
 * A call with a recovery point can be left by a longjmp within the guest. No
 * code of moat runs then, and the point leads into a frame that is no more. So
 * whatever depends on it first looks whether the call lives: the guest's stack
 * pointer is below the call's return address, and that still lies where the
 * call found it. Any later call of the same function overwrites it. For the
 * same reason nothing that a landing needs lies on the guest's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/recovery.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sys/filter.h"
#include "sys/seal.h"
#include "trap/alarm.h"
#include "trap/probe.h"

/* The thread's part of the switch; see include/moat/switch. */
__thread struct moat_tls moat_tls;

/* --- the list ------------------------------------------------------------- */

struct moat_recovery *moat_recovery_innermost(const struct co *co)
{
    return co->recovers ? moat_trap_record_of(co)->recovery : NULL;
}

/* Returns whether the landing leads somewhere yet. */
static bool has_begun(const struct moat_recovery *recovery)
{
    return recovery->landing.resumer_sp != 0;
}

uint32_t moat_trap_sections(const struct co *co)
{
    const struct moat_recovery *recovery = moat_recovery_innermost(co);

    return recovery != NULL && !has_begun(recovery) &&
                   recovery->notrap == co->notrap
               ? co->notrap - 1
               : co->notrap;
}

struct moat_recovery *moat_trap_recovery(const struct co *co)
{
    struct moat_recovery *recovery = moat_recovery_innermost(co);

    if (recovery != NULL && !has_begun(recovery))
        recovery = recovery->outer;
    /* A section that was opened later has none. */
    return recovery != NULL && recovery->notrap == moat_trap_sections(co)
               ? recovery
               : NULL;
}

/* Closes what fn left open, too. A handler may do this, so the memory is freed
 * later. */
static void close_innermost(struct co *co)
{
    struct moat_trap_record *record = moat_trap_record_of(co);
    struct moat_recovery *recovery = record->recovery;

    co->nointr = recovery->nointr;
    co->notrap = recovery->notrap - 1;
    atomic_signal_fence(memory_order_seq_cst);
    record->recovery = recovery->outer;
    moat_note_sections(co);
    if (recovery != &record->first_recovery) {
        recovery->outer = record->closed;
        record->closed = recovery;
    }
}

static void free_closed(struct moat_trap_record *record)
{
    while (record->closed != NULL) {
        struct moat_recovery *recovery = record->closed;

        record->closed = recovery->outer;
        free(recovery);
    }
}

void moat_recovery_drop(struct co *co)
{
    if (!co->recovers)
        return;
    while (moat_recovery_innermost(co) != NULL)
        close_innermost(co);
    free_closed(moat_trap_record_of(co));
    co->recovers = false;
}

/* --- calls that have ended ------------------------------------------------ */

static bool lies_on(const struct moat_slot *slot, uintptr_t address)
{
    return address - slot->limit < slot->base - slot->limit;
}

/* The stack pointer decides nothing if the guest is on another stack by now. */
static bool is_alive(const struct moat_recovery *recovery, uintptr_t sp)
{
    const struct moat_slot *stack = &recovery->co->slot;
    uintptr_t word;

    if (lies_on(stack, sp) && lies_on(stack, recovery->slot) &&
        sp > recovery->slot)
        return false;
    return moat_arch_peek(recovery->slot, &word) &&
           word == recovery->return_address;
}

void moat_recovery_settle(struct co *co, uintptr_t sp)
{
    struct moat_recovery *recovery;

    while ((recovery = moat_recovery_innermost(co)) != NULL &&
           !is_alive(recovery, sp))
        close_innermost(co);
}

/* The frame of a call that lives is above that of the one which is made now.
 * Its return address decides nothing if one instruction made both. */
static void close_overwritten(struct co *co, uintptr_t slot)
{
    struct moat_recovery *recovery;

    while ((recovery = moat_recovery_innermost(co)) != NULL &&
           lies_on(&co->slot, slot) && lies_on(&co->slot, recovery->slot) &&
           recovery->slot <= slot)
        close_innermost(co);
}

/* --- traps ---------------------------------------------------------------- */

bool moat_trap_possible(const struct co *co)
{
    return co->notrap == 0 || moat_trap_recovery(co) != NULL;
}

void moat_trap_now(struct co *co, moat_trap_kind kind, int user_code)
{
    struct moat_trap_record *record = moat_trap_record_of(co);
    struct moat_recovery *recovery = moat_trap_recovery(co);

    moat_trap_record_clear(record);
    moat_arch_capture(&record->regs);
    record->kind = kind;
    record->user_code = user_code;
    if (kind == MOAT_TRAP_DEADLINE)
        moat_alarm_note(record);
    if (recovery != NULL)
        moat_switch_leave(&recovery->landing, NULL, MOAT_EVENT_TRAP);
    co->control.state = MOAT_MARK_TRAPPED;
    moat_switch_leave(&co->control, NULL, MOAT_EVENT_TRAP);
}

/* --- recovery points ------------------------------------------------------ */

/* Nothing stops the guest in the middle of malloc. */
static struct moat_recovery *make(struct co *co)
{
    struct moat_trap_record *record = moat_trap_record_of(co);
    struct moat_recovery *made = &record->first_recovery;
    unsigned char filter;

    if (!co->recovers) {
        record->recovery = record->closed = NULL;
        co->recovers = true;
    }
    if (record->recovery == NULL && record->closed == NULL)
        return made;
    co->nointr++;
    moat_note_sections(co);
    filter = moat_filter_pause();
    moat_seal();
    free_closed(record);
    if (record->recovery != NULL)
        made = malloc(sizeof *made);
    moat_unseal();
    moat_filter_restore(filter);
    co->nointr--;
    moat_note_sections(co);
    return made;
}

/* The list changes by one store, last: a handler finds it whole. The section is
 * never open without its recovery point. */
static struct moat_recovery *open_recovery(struct co *co, uintptr_t slot)
{
    struct moat_recovery *recovery;

    close_overwritten(co, slot);
    recovery = make(co);
    if (recovery == NULL)
        return NULL;
    memset(recovery, 0, sizeof *recovery);
    recovery->co = co;
    recovery->outer = moat_trap_record_of(co)->recovery;
    recovery->slot = slot;
    memcpy(&recovery->return_address, (const void *)slot, sizeof(uintptr_t));
    recovery->notrap = co->notrap + 1;
    recovery->nointr = co->nointr;
    *(struct moat_recovery *volatile *)&moat_trap_record_of(co)->recovery =
        recovery;
    atomic_signal_fence(memory_order_seq_cst);
    co->notrap = recovery->notrap;
    moat_note_sections(co);
    return recovery;
}

struct opened {
    struct co *co;
    struct moat_recovery *recovery;
};

/* Runs when an exception passes, too. Those inside, if any, were left by a
 * longjmp; the call itself is not on the list if the guest has overwritten its
 * return address and a handler has looked since. */
static void close_recovery(const struct opened *opened)
{
    struct co *co = opened->co;
    struct moat_recovery *each = moat_recovery_innermost(co);

    while (each != NULL && each != opened->recovery)
        each = each->outer;
    if (each == NULL)
        return;
    while (moat_recovery_innermost(co) != each)
        close_innermost(co);
    close_innermost(co);
}

static moat_status call(struct moat_recovery *recovery, void (*fn)(void *),
                        void *arg)
{
    __attribute__((cleanup(close_recovery)))
    const struct opened opened = {recovery->co, recovery};

    if (moat_arch_try(&opened.recovery->landing, fn, arg) == 0)
        return MOAT_OK;
    (void)moat_cancellation_defer();
    moat_probe_note_dropped();
    return MOAT_E_FAULT;
}

moat_status moat_trap_recover(struct co *co, void (*fn)(void *), void *arg,
                              uintptr_t slot)
{
    struct moat_recovery *recovery = open_recovery(co, slot);

    return recovery != NULL ? call(recovery, fn, arg) : MOAT_E_NOMEM;
}
