/*
 * host_handler.c: handlers of the host's that run on a guest's stack.
 *
 * A handler installed without SA_ONSTACK that interrupts a guest takes that
 * stack. Its frame (frames.c) lies above the stack pointer, and while it runs
 * it blocks signals that were free before. Both together show it. Neither
 * alone does: dead frames stay in memory that a guest may use again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/host_handler.h"

#include <string.h>
#include <ucontext.h>

#include "trap/altstack.h"
#include "trap/stack_owner.h"

/* How far up the stack to look for a frame. */
#define REACH_BYTES ((uintptr_t)256 << 10)

#define STEP ((uintptr_t)MOAT_ARCH_CONTEXT_ALIGN)

/* How long a handler is waited for: what looks like one need not be one. Looks
 * that are farther apart than AGAIN_NS are at different handlers. */
#define WAIT_NS  UINT64_C(1000000000)
#define AGAIN_NS UINT64_C(10000000)

static __thread struct {
    uint64_t since, last; /* the first and the last look at a handler */
} waiting __attribute__((tls_model("initial-exec")));

static bool holds(uintptr_t address, uintptr_t word)
{
    uintptr_t there;

    return moat_arch_peek(address, &there) && there == word;
}

/* Returns whether a frame's context lies there; *mask is what was blocked when
 * the signal was delivered. Reads with care: the guest may have taken the
 * memory away. */
static bool read_frame(uintptr_t at, uintptr_t end, const stack_t *armed,
                       uintptr_t *mask)
{
    return holds(at + offsetof(ucontext_t, uc_stack.ss_sp),
                 (uintptr_t)armed->ss_sp) &&
           holds(at + offsetof(ucontext_t, uc_stack.ss_size), armed->ss_size) &&
           holds(at + offsetof(ucontext_t, uc_link), 0) &&
           moat_arch_frame_is_whole(at, end) &&
           moat_arch_peek(at + offsetof(ucontext_t, uc_sigmask), mask);
}

/* Returns whether a handler of that signal, called where `before` was blocked,
 * runs with `now` blocked. It may not be installed any more: the kernel
 * (SA_RESETHAND) or the handler itself may have set the default action. */
static bool handler_blocks(int signo, uint64_t before, uint64_t now)
{
    struct sigaction action;
    uint64_t blocked;

    if (sigaction(signo, NULL, &action) != 0)
        return false;
    memcpy(&blocked, &action.sa_mask, sizeof blocked);
    if ((action.sa_flags & SA_NODEFER) == 0)
        blocked |= UINT64_C(1) << (signo - 1);
    return (before | blocked) == now;
}

/* Returns whether the difference between the masks is what one handler blocks.
 * One with SA_NODEFER need not block its own signal. */
static bool is_by_handler(uint64_t before, uint64_t now)
{
    if (before == now || (before & ~now) != 0)
        return false;
    for (int signo = 1; signo < NSIG; signo++) {
        if (handler_blocks(signo, before, now))
            return true;
    }
    return false;
}

/* Finds the next frame in [*at, end), of a stack that ends at `top`, and steps
 * over its address. */
static bool next_frame(uintptr_t *at, uintptr_t end, uintptr_t top,
                       uintptr_t *mask)
{
    const struct moat_signal_stack *own = moat_altstack_own();
    uintptr_t each = (*at + STEP - 1) & ~(STEP - 1);

    if (own == NULL)
        return false;
    for (; each < end && end - each >= MOAT_ARCH_FRAME_BYTES; each += STEP) {
        if (read_frame(each, top, &own->stack, mask)) {
            *at = each + STEP;
            return true;
        }
    }
    return false;
}

static uintptr_t in_reach(uintptr_t at, uintptr_t end)
{
    return end - at > REACH_BYTES ? at + REACH_BYTES : end;
}

/* Returns whether frames of such handlers lie in [at, top); *mask becomes what
 * the return of the outermost would restore. */
static bool find_in(uintptr_t at, uintptr_t top, uint64_t *mask)
{
    uintptr_t end = in_reach(at, top), before;
    bool found = false;

    while (next_frame(&at, end, top, &before)) {
        if (!is_by_handler(before, *mask))
            continue;
        *mask = before;
        found = true;
    }
    return found;
}

static uint64_t mask_of(const void *ucontext)
{
    uint64_t mask;

    memcpy(&mask, &((const ucontext_t *)ucontext)->uc_sigmask, sizeof mask);
    return mask;
}

/* Returns whether such a handler was interrupted, of which frames below `end`
 * count; *mask is what its return would restore. */
static bool find(const struct co *co, const void *ucontext, uintptr_t end,
                 uint64_t *mask)
{
    uintptr_t sp = moat_arch_sp_from_context(ucontext);

    *mask = mask_of(ucontext);
    if (*mask == 0 || sp >= end)
        return false;
    return find_in(sp > co->slot.limit ? sp : co->slot.limit, end, mask);
}

bool moat_host_handler_runs(const void *ucontext, uintptr_t end)
{
    uintptr_t sp = moat_arch_sp_from_context(ucontext);
    uint64_t mask = mask_of(ucontext);

    return sp < end && find_in(sp, end, &mask);
}

bool moat_host_handler_is_at(const struct co *running, uintptr_t sp)
{
    uintptr_t limit, base;
    uint64_t mask;
    sigset_t now;

    if (moat_altstack_contains(sp))
        return true;
    if (pthread_sigmask(SIG_BLOCK, NULL, &now) != 0)
        return false;
    memcpy(&mask, &now, sizeof mask);
    return mask != 0 && moat_stack_find(running, sp, &limit, &base) &&
           find_in(sp, base, &mask);
}

bool moat_host_handler_may_be_at(const struct co *running, uintptr_t sp)
{
    uintptr_t limit, base, mask;

    return moat_stack_find(running, sp, &limit, &base) &&
           next_frame(&sp, in_reach(sp, base), base, &mask);
}

bool moat_host_handler_wait(const struct co *co, const void *ucontext,
                            uint64_t now)
{
    uint64_t mask;

    if (!find(co, ucontext, co->slot.base, &mask))
        return false;
    if (now - waiting.last > AGAIN_NS)
        waiting.since = now;
    waiting.last = now;
    return now - waiting.since < WAIT_NS;
}

void moat_host_handler_leave(const struct co *co, void *ucontext, uintptr_t end)
{
    ucontext_t *uc = ucontext;
    uint64_t mask;

    if (find(co, ucontext, end, &mask))
        memcpy(&uc->uc_sigmask, &mask, sizeof mask);
}
