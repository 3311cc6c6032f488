/*
 * preempt.c: a guest whose time slice has ended leaves, and comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/preempt.h"

#include <errno.h>

#include "engine/coroutine.h"
#include "trap/preempt.h"

/* Not inlined: the address of errno is looked up after the switch. */
static __attribute__((noinline)) void set_errno(int value)
{
    errno = value;
}

/* Runs on the guest's stack, between two of its instructions. */
static MOAT_NO_SANITIZE void suspend(void)
{
    struct co *co = moat_running();
    struct moat_preemption *preemption = moat_preemption_of(co);
    struct moat_resumed back = {handle_of(co), NULL, MOAT_EVENT_PREEMPT};
    void *value = NULL;
    int saved_errno = preemption->saved_errno;

    preemption->count++;
    /* The inline create does not clear the count. */
    co->control.flags |= CO_SPECIAL;
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    MOAT_SWITCH_LEAVE(back, value);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    set_errno(saved_errno);
    preemption->suspended = false;
}

void moat_preempt_serve(void)
{
    moat_preempt_suspend = suspend;
}

void moat_preempt_forget(struct co *co)
{
    struct moat_preemption *preemption = moat_preemption_of(co);

    if ((co->traits & CO_LIMITED) == 0 ||
        moat_guest_clock_of(co)->limits.slice_ns == 0)
        return;
    preemption->suspended = false;
    preemption->count = 0;
}
