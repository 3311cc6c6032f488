/*
 * syscalls.c: who made a dispatched system call, and the filter in handlers.
 *
 * The kernel dispatches every call that is made while the selector is set. Most
 * are the running guest's. Some are those of a handler of the host's that has
 * interrupted it: these are made as they are, one by one, by code that sets the
 * selector again (arch/syscalls.h). Its return from the handler is made, too,
 * after the context that it restores has been led to such code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/syscalls.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "sys/confine.h"
#include "trap/altstack.h"
#include "trap/host_handler.h"
#include "trap/own_stacks.h"
#include "trap/stack_owner.h"

/* linux/signal.h: si_code of a dispatched call. */
#define USER_DISPATCH 2

/* Since a guest was entered the thread was found to block these, with no
 * handler on the guest's stack; 0: not looked yet. */
static __thread uint64_t plain_mask __attribute__((tls_model("initial-exec")));

/* Set in place of the selector, where that must stay off. */
static volatile unsigned char unread;

void (*moat_calls_decide)(void);
size_t moat_calls_decide_bytes;

/* --- the filter in handlers ----------------------------------------------- */

/* The registers with which interrupted code continues, on the stack of `co`. */
static struct moat_arch_filtered *words_of(struct co *co)
{
    struct moat_arch_filtered *words = &moat_calls_of(co)->back;

    words->selector =
        moat_filter_is_partial() ? &unread : &moat_filter.selector;
    return words;
}

/* The code that sets the selector may be what was interrupted: just before the
 * store, the filter counts as on. */
unsigned char moat_calls_interrupt(void *ucontext)
{
    unsigned char before = moat_filter_pause();
    const struct co *co = moat_running();

    if (before == MOAT_FILTER_OFF && co != NULL &&
        moat_arch_filter_undo(ucontext, &moat_calls_of(co)->back))
        return MOAT_FILTER_ON;
    return before;
}

void moat_calls_continue(unsigned char before, void *ucontext)
{
    struct co *co = moat_running();

    if (before != MOAT_FILTER_OFF && co != NULL &&
        !moat_arch_is_led_away(ucontext))
        moat_arch_filter_return(ucontext, words_of(co));
}

void moat_calls_end_inside(unsigned char before, const void *ucontext)
{
    if (!moat_arch_is_led_away(ucontext))
        moat_filter_restore(before);
}

void moat_calls_enter(struct co *running)
{
    const struct co *filtered = moat_filtered_from(running);
    unsigned char guest = filtered != NULL && !moat_filter_is_partial()
                              ? MOAT_FILTER_ON
                              : MOAT_FILTER_OFF;

    plain_mask = 0;
    moat_filter.guest = guest;
    moat_filter.selector = guest;
}

/* --- handlers of the host's ----------------------------------------------- */

static uint64_t mask_of(const void *ucontext)
{
    uint64_t mask;

    memcpy(&mask, &((const ucontext_t *)ucontext)->uc_sigmask, sizeof mask);
    return mask;
}

/* A handler on the guest's stack blocks its own signal, at least. To look for
 * its frame takes long, so a mask that was found to be the guest's own is not
 * looked at again. */
static bool is_of_handler(const struct co *co, const void *ucontext)
{
    uint64_t mask = mask_of(ucontext);

    if (moat_altstack_in_use(ucontext))
        return true;
    if (mask == 0 || mask == plain_mask)
        return false;
    if (moat_host_handler_runs(ucontext, co->slot.base))
        return true;
    plain_mask = mask;
    return false;
}

/* Returns where the stack ends that the context lies on; 0: on none. */
static uintptr_t stack_end(const struct co *co, uintptr_t context)
{
    const struct moat_signal_stack *own = moat_altstack_own();
    uintptr_t limit, base;

    if (own != NULL &&
        context - (uintptr_t)own->stack.ss_sp < own->stack.ss_size)
        return (uintptr_t)own->stack.ss_sp + own->stack.ss_size;
    return moat_stack_find(co, context, &limit, &base) ? base : 0;
}

/* The kernel's struct; the C library's hides the last field. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

/* How far after the restorer's begin its system call may end. */
#define RESTORER_BYTES 16

/* The frame does not show which signal it is of, unless the handler asked for
 * that. All that one C library has installed share a restorer, the handler of
 * SIGSYS included, so that one is looked at first. */
static bool is_restorer(uintptr_t pc)
{
    struct kernel_action action;

    for (int i = 0; i < NSIG - 1; i++) {
        int signo = (SIGSYS - 1 + i) % (NSIG - 1) + 1;

        if (syscall(SYS_rt_sigaction, signo, NULL, &action,
                    sizeof action.mask) == 0 &&
            pc - action.restorer < RESTORER_BYTES)
            return true;
    }
    return false;
}

/* Returns whether a handler returns: the call is the one that the C library has
 * given the kernel for that, and finds a whole frame, which leaves the
 * alternate stack as it is. */
static bool is_return(const struct co *co, const void *ucontext,
                      const void *restored)
{
    const struct moat_signal_stack *own = moat_altstack_own();
    uintptr_t context = (uintptr_t)restored, end = stack_end(co, context), word;
    moat_regs regs;

    moat_arch_regs_from_context(ucontext, &regs);
    return end != 0 && own != NULL && moat_arch_frame_is_whole(context, end) &&
           moat_arch_peek(context + offsetof(ucontext_t, uc_stack.ss_sp),
                          &word) &&
           word == (uintptr_t)own->stack.ss_sp && is_restorer(regs.pc);
}

static bool lead_return(struct co *co, void *ucontext)
{
    void *restored = moat_arch_context_to_restore(ucontext);

    if (!is_return(co, ucontext, restored))
        return false;
    moat_arch_filter_return(restored, words_of(co));
    moat_arch_call_again(ucontext);
    return true;
}

/* Between two instructions of a resume, too, the thread runs code of the
 * host's. That of a handler which returns by itself is in no range. */
static bool lead_handler(struct co *co, const siginfo_t *info, void *ucontext)
{
    if (info->si_syscall == SYS_rt_sigreturn)
        return !moat_filter_is_partial() && lead_return(co, ucontext);
    if (moat_is_entered(co) &&
        moat_stack_owner(co, moat_arch_sp_from_context(ucontext)) != NULL &&
        !is_of_handler(co, ucontext))
        return false;
    moat_arch_filter_call(ucontext, words_of(co));
    return true;
}

/* --- the guest ------------------------------------------------------------ */

void moat_calls_describe(const siginfo_t *info, const void *ucontext,
                         struct moat_trap_record *record)
{
    moat_syscall call;

    record->call_is_foreign =
        !moat_arch_call_from_context(info, ucontext, &call);
    record->call = call.number;
    memcpy(record->call_args, call.args, sizeof call.args);
}

/* Its registers are saved there. Of other memory it is not known that it is a
 * stack. */
static bool is_on_stack(const struct co *co, const void *ucontext)
{
    uintptr_t sp = moat_arch_sp_from_context(ucontext);
    struct moat_range stack;

    return moat_stack_is_on(co, sp) || moat_own_stacks_find(sp, &stack);
}

static bool has_room(const struct co *co, const void *ucontext)
{
    size_t bytes = moat_arch_preempt_bytes(ucontext);

    return bytes != 0 && moat_stack_has(co, moat_arch_sp_from_context(ucontext),
                                        bytes + moat_calls_decide_bytes);
}

static enum moat_dispatch of_guest(struct co *co, const siginfo_t *info,
                                   const void *ucontext)
{
    struct moat_calls *calls = moat_calls_of(co);
    struct co *filtered = moat_filtered_from(co);

    if (filtered == NULL)
        return MOAT_DISPATCH_TRAP;
    moat_calls_of(filtered)->count++;
    if (!moat_arch_call_from_context(info, ucontext, &calls->call) ||
        moat_calls_of(filtered)->policy.decide == NULL ||
        !is_on_stack(co, ucontext))
        return MOAT_DISPATCH_TRAP;
    return has_room(co, ucontext) ? MOAT_DISPATCH_ASK : MOAT_DISPATCH_ROOM;
}

/* A handler of the host's may run on the guest's stack. */
static enum moat_dispatch of_bound(const struct co *co, void *ucontext)
{
    if (co == NULL || mask_of(ucontext) == 0 ||
        !moat_host_handler_runs(ucontext, co->slot.base))
        return MOAT_DISPATCH_BOUND;
    moat_arch_call_failed(ucontext, EPERM);
    return MOAT_DISPATCH_LED;
}

enum moat_dispatch moat_calls_dispatch(const siginfo_t *info, void *ucontext)
{
    struct co *co = moat_running();

    if (moat_confine_refused(info))
        return of_bound(co, ucontext);
    if (info->si_code != USER_DISPATCH || !moat_filter.armed)
        return MOAT_DISPATCH_NONE;
    /* The host, or a guest without a policy, runs code that others are filtered
     * in. The next guest with a policy has the filter set again. */
    if (co == NULL ||
        (moat_filter_is_partial() && moat_filtered_from(co) == NULL)) {
        moat_filter_lapse();
        moat_arch_call_again(ucontext);
        return MOAT_DISPATCH_LED;
    }
    return lead_handler(co, info, ucontext) ? MOAT_DISPATCH_LED
                                            : of_guest(co, info, ucontext);
}

void moat_calls_ask(struct co *co, void *ucontext, int saved_errno)
{
    struct moat_calls *calls = moat_calls_of(co);

    calls->saved_errno = saved_errno;
    calls->performing = false;
    calls->words.co = handle_of(co);
    calls->words.suspend = moat_calls_decide;
    moat_arch_preempt(ucontext, &calls->words);
}
