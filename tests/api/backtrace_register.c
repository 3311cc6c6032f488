/*
 * backtrace_register.c: a resume in code that leaves the frame pointer's
 * register as its caller has it. Compiled without frame pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

void resume_in_register(moat_co *co);

/* Nothing is to be kept over the switch. */
static moat_event event;

void resume_in_register(moat_co *co)
{
    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        __builtin_trap();
}
