/*
 * preempt.c: guests suspended at the end of their time slice.
 *
 * The timer's signal finds the guest at any instruction. The handler does not
 * switch stacks: it redirects the guest to code of arch that saves all of its
 * registers on its own stack and then suspends it, as a yield would. So the
 * kernel's signal frame is gone before the guest waits, and a resume needs no
 * system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/preempt.h"

#include "sys/clock.h"
#include "trap/alarm.h"
#include "trap/cpu_clock.h"
#include "trap/own_stacks.h"
#include "trap/stack_owner.h"

#define NEVER MOAT_CLOCK_END

/* When to look again at a slice that could not be ended. */
#define AGAIN_NS UINT64_C(1000000)

/* How often to look at a guest that seems to be on its way out or back. */
#define MAX_LOOKS 1000

/* Stack that suspending takes below the saved registers. */
#define SUSPEND_BYTES ((size_t)2 << 10)

void (*moat_preempt_suspend)(void);

uint64_t moat_slice_slack(uint64_t slice_ns)
{
    return slice_ns / 16 + 5000;
}

/* A forked child in which no host waits for the guest would end. One that is
 * cancelled would not have cleaned up when the call returns, and
 * moat_co_destroy would drop the rest. */
static bool has_slice(const struct co *co)
{
    return (co->traits & CO_LIMITED) != 0 &&
           moat_guest_clock_of(co)->limits.slice_ns != 0 &&
           co->control.state == MOAT_MARK_TIMED &&
           (co->control.flags & CO_CANCELLED) == 0 &&
           !moat_arch_has_border(&co->control);
}

bool moat_slice_is_over(const struct co *co, uint64_t now, uint64_t *look_at)
{
    const struct moat_guest_clock *clock;
    uint64_t cpu, end;

    *look_at = NEVER;
    if (co == NULL || !has_slice(co))
        return false;
    clock = moat_guest_clock_of(co);
    end = moat_later_by(clock->since_cpu, clock->limits.slice_ns);
    cpu = moat_cpu_clock_at_most(now, 0);
    if (cpu >= end)
        return true;
    /* On a busy machine CPU time falls behind: not again and again, just before
     * the end. */
    *look_at = moat_later_by(now, end - cpu +
                                      moat_slice_slack(clock->limits.slice_ns));
    return false;
}

/* Goes by real time, whose clock is cheaper to read, and which passes no slower
 * than CPU time. */
uint64_t moat_slices_look(const struct co *innermost, uint64_t now)
{
    uint64_t again = NEVER, end;

    for (; innermost != NULL; innermost = resumer_of(innermost)) {
        const struct moat_guest_clock *clock;

        if (!has_slice(innermost))
            continue;
        clock = moat_guest_clock_of(innermost);
        end = moat_later_by(clock->since, clock->limits.slice_ns);
        if (end <= now)
            end = moat_later_by(now, AGAIN_NS);
        again = moat_earlier(again, end);
    }
    return again;
}

/* Of any other memory nobody says that it is a stack: the guest may use the
 * stack pointer for something else. */
static bool has_room(const struct co *co, uintptr_t sp, size_t bytes)
{
    struct moat_range stack;

    return (moat_stack_is_on(co, sp) || moat_own_stacks_find(sp, &stack)) &&
           moat_stack_has(co, sp, bytes);
}

/* Returns whether the guest is on its way out or back. A handler that has
 * interrupted it there may have left the way by siglongjmp, which its stack
 * pointer shows; or else that the handler does not end. */
static bool is_under_way(struct moat_preemption *preemption, uintptr_t sp)
{
    return preemption->under_way &&
           sp <= preemption->words.sp - MOAT_ARCH_RED_ZONE &&
           ++preemption->looks < MAX_LOOKS;
}

bool moat_preempt(struct co *co, void *ucontext, int saved_errno)
{
    struct moat_preemption *preemption = moat_preemption_of(co);
    size_t bytes = moat_arch_preempt_bytes(ucontext);
    uintptr_t sp = moat_arch_sp_from_context(ucontext);

    /* CO_SECTIONS alone: the section is being closed, and the flags are read,
     * changed and written back, while a resume may change others of them. */
    if (bytes == 0 || (co->control.flags & CO_SECTIONS) != 0 ||
        !has_room(co, sp, bytes + SUSPEND_BYTES) ||
        is_under_way(preemption, sp))
        return false;
    moat_preempt_begin(preemption, sp);
    preemption->saved_errno = saved_errno;
    preemption->words.co = handle_of(co);
    preemption->words.suspend = moat_preempt_suspend;
    moat_arch_preempt(ucontext, &preemption->words);
    return true;
}
