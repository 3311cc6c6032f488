/*
 * backtrace_register.c: a resume in code that leaves its caller's value in the
 * frame-pointer register. Compiled without frame pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

void resume_in_register(moat_co *co);

/* Static, so that no register has to be saved across the switch. */
static moat_event event;

void resume_in_register(moat_co *co)
{
    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        __builtin_trap();
}
