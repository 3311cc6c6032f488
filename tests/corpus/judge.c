/*
 * judge.c: what the guest's end is called.
 *
 * SPDX-License-Identifier: MIT
 */
#include "judge.h"

#include <stddef.h>
#include <unistd.h>

#include "intrude.h"

static enum verdict verdict_of_trap(const moat_trap_info *trap)
{
    switch (trap->kind) {
    case MOAT_TRAP_STACK_OVERFLOW:
        return VERDICT_OVERFLOW;
    case MOAT_TRAP_NULL:
    case MOAT_TRAP_MEMORY:
    case MOAT_TRAP_EXEC:
    case MOAT_TRAP_ALIGNMENT:
    case MOAT_TRAP_BUS:
        return VERDICT_WILD;
    case MOAT_TRAP_ABORT:
        return VERDICT_ABORT;
    case MOAT_TRAP_DEADLINE:
        return VERDICT_DEADLINE;
    case MOAT_TRAP_MEMORY_LIMIT:
        return VERDICT_MEMORY;
    case MOAT_TRAP_ARITHMETIC:
        return VERDICT_ARITHMETIC;
    case MOAT_TRAP_ILLEGAL:
        return VERDICT_ILLEGAL;
    case MOAT_TRAP_EXIT:
        return VERDICT_EXIT;
    case MOAT_TRAP_RAISED:
        return trap->user_code == LEAVE_CODE ? VERDICT_EXIT : VERDICT_OTHER;
    default:
        return VERDICT_OTHER;
    }
}

enum verdict judge_event(const moat_co *guest, const moat_event *event)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (event->kind == MOAT_EVENT_RETURN)
        return event->value == NULL ? VERDICT_RETURNED : VERDICT_ERROR;
    if (event->kind == MOAT_EVENT_PANIC)
        return VERDICT_EXCEPTION;
    if (moat_co_trap_info(guest, &trap) != MOAT_OK)
        return VERDICT_OTHER;
    return verdict_of_trap(&trap);
}

void judge_note(struct job *job, const moat_co *guest, enum verdict verdict,
                bool right)
{
    job->tally[verdict]++;
    if (right)
        return;
    if (verdict == VERDICT_DEADLINE)
        job->late++;
    else
        job->wrong++;
    if (job->verbose && moat_co_get_state(guest) == MOAT_CO_TRAPPED)
        (void)!moat_co_print_report(guest, STDERR_FILENO);
}
