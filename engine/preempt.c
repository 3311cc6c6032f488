/*
 * preempt.c: a guest whose time slice has ended leaves, and comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/preempt.h"

#include <errno.h>

#include "engine/coroutine.h"
#include "engine/exceptions.h"
#include "sys/seal.h"
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
    int cancel_type = moat_cancellation_defer();

    preemption->count++;
    /* The inline create does not clear the count. */
    co->control.flags |= CO_SPECIAL;
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    preemption->suspended = true;
    MOAT_SWITCH_LEAVE(back, value);
    preemption->suspended = false;
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    moat_cancellation_restore(cancel_type);
    set_errno(saved_errno);
    preemption->under_way = false;
}

void moat_preempt_serve(void)
{
    moat_preempt_suspend = suspend;
}

bool moat_preempt_needs_library(uint64_t slice_ns)
{
    return slice_ns != 0 && moat_exceptions_exist();
}

static bool has_list(const struct co *co)
{
    return (co->traits & CO_LIMITED) != 0 &&
           moat_preempt_needs_library(moat_guest_clock_of(co)->limits.slice_ns);
}

static bool are_equal(const struct moat_exceptions *a,
                      const struct moat_exceptions *b)
{
    return a->caught == b->caught && a->uncaught == b->uncaught;
}

void moat_preempt_entering(struct co *co)
{
    struct moat_preempt_exceptions *kept = &cold_of(co)->exceptions;

    if (!has_list(co))
        return;
    moat_exceptions_get(&kept->resumer);
    kept->apart = moat_is_preempted(co) && !are_equal(&kept->own, &kept->below);
    if (kept->apart)
        moat_exceptions_set(&kept->own);
    else
        kept->below = kept->resumer;
}

/* Its own list ends with it, and where it has left its catch clauses. */
static bool is_shared_again(const struct moat_preempt_exceptions *kept,
                            const struct moat_exceptions *now, uint64_t kind)
{
    bool yields = kind == MOAT_SWITCH_YIELD || kind == MOAT_SWITCH_YIELD_SLOW;

    return kept->apart && (!yields || are_equal(now, &kept->below));
}

void moat_preempt_left(struct co *co, uint64_t kind)
{
    struct moat_preempt_exceptions *kept = &cold_of(co)->exceptions;
    struct moat_exceptions now;

    if (!has_list(co))
        return;
    moat_exceptions_get(&now);
    if (kind == MOAT_EVENT_PREEMPT)
        kept->own = now;
    if (kind == MOAT_EVENT_PREEMPT || is_shared_again(kept, &now, kind))
        moat_exceptions_set(&kept->resumer);
}

void moat_preempt_forget(struct co *co)
{
    struct moat_preemption *preemption = moat_preemption_of(co);

    if ((co->traits & CO_LIMITED) == 0 ||
        moat_guest_clock_of(co)->limits.slice_ns == 0)
        return;
    preemption->under_way = false;
    preemption->suspended = false;
    preemption->count = 0;
}
