/*
 * activation.c: the running coroutine as the trap layer sees it, and the two
 * ways of leaving it that need no signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "trap/internal.h"

/* The thread's share of the switch; see include/moat/switch. */
__thread struct moat_tls moat_tls;

__thread struct moat_trap_thread moat_trap_thread;

/* Bit 0 marks a coroutine on the slow path; addresses are even. */
struct moat_activation *moat_trap_current(void)
{
    return (struct moat_activation *)(MOAT_TLS_READ(MOAT_TLS_CURRENT) &
                                      ~UINT64_C(1));
}

void moat_trap_now(struct moat_activation *activation, moat_trap_kind kind,
                   int user_code)
{
    struct moat_trap_record *record = moat_trap_record_of(activation);

    memset(record, 0, sizeof *record);
    moat_arch_capture(&record->regs);
    record->kind = kind;
    record->user_code = user_code;
    activation->co.state = MOAT_MARK_TRAPPED;
    moat_arch_leave(&activation->co, NULL, MOAT_EVENT_TRAP);
}

bool moat_trap_try(void (*fn)(void *), void *arg)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    moat_co *outer = thread->probe;
    moat_co landing;
    uint64_t kind;

    memset(&landing, 0, sizeof landing);
    thread->probe = &landing;
    kind = moat_arch_try(&landing, fn, arg);
    thread->probe = outer;
    return kind == 0;
}
