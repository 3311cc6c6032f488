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
#include "trap/stack_owner.h"

#define NEVER MOAT_CLOCK_END

/* When to look again at a slice that could not be ended. */
#define AGAIN_NS UINT64_C(1000000)

/* Stack that suspending takes below the saved registers. */
#define SUSPEND_BYTES ((size_t)2 << 10)

void (*moat_preempt_suspend)(void);

uint64_t moat_slice_slack(uint64_t slice_ns)
{
    return slice_ns / 16 + 5000;
}

static bool has_slice(const struct co *co)
{
    return (co->traits & CO_LIMITED) != 0 &&
           moat_guest_clock_of(co)->limits.slice_ns != 0 &&
           co->control.state == MOAT_MARK_TIMED;
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
    cpu = moat_alarm_cpu_at_most(now, 0);
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

bool moat_preempt(struct co *co, void *ucontext, int saved_errno)
{
    struct moat_preemption *preemption = moat_preemption_of(co);
    size_t bytes = moat_arch_preempt_bytes(ucontext);

    if (bytes == 0 || preemption->suspended ||
        !moat_stack_has(co, moat_arch_sp_from_context(ucontext),
                        bytes + SUSPEND_BYTES))
        return false;
    preemption->suspended = true;
    preemption->saved_errno = saved_errno;
    preemption->words.co = handle_of(co);
    preemption->words.suspend = moat_preempt_suspend;
    moat_arch_preempt(ucontext, &preemption->words);
    return true;
}
