/*
 * handler.c: the signal handler. It decides and redirects; it never reports.
 *
 * Everything here runs in signal context: no allocation, no lock, no
 * formatting, no unwinding. The guest's stack is left as it is, as evidence.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/source.h>

#include "registry/grace.h"
#include "stack/annotate.h"
#include "sys/fork.h"
#include "sys/seal.h"
#include "trap/abandon.h"
#include "trap/altstack.h"
#include "trap/blame.h"
#include "trap/chain.h"
#include "trap/handler.h"
#include "trap/host_handler.h"
#include "trap/policy.h"
#include "trap/probe.h"
#include "trap/record.h"
#include "trap/recovery.h"
#include "trap/regions.h"
#include "trap/source.h"
#include "trap/stack_owner.h"
#include "trap/syscalls.h"
#include "trap/task.h"

/* A signal that the guest sent to itself (abort, raise) is a trap like a fault;
 * a signal from elsewhere is not. */
static bool sent_by_guest(int signo, const siginfo_t *info,
                          const void *ucontext)
{
    pid_t pid = getpid();

    return (info->si_code == SI_TKILL || info->si_code == SI_USER) &&
           info->si_pid == pid &&
           moat_arch_context_sent_signal(ucontext, signo, pid,
                                         (pid_t)moat_fork_task());
}

static void redirect(const moat_co *landing, void *ucontext)
{
    moat_arch_redirect_context(ucontext, landing, MOAT_EVENT_TRAP);
    moat_altstack_leave(ucontext);
}

/* Returns whether a load or a store of this thread raised the signal. */
static bool is_of_memory(int signo, const siginfo_t *info)
{
    return (signo == SIGSEGV || signo == SIGBUS) && !moat_signal_was_sent(info);
}

/* A fault inside moat_trap_try: the walk over a dead guest's stack has met a
 * word that is not an address. Other signals are not the probe's; a debugger
 * that steps through the host sends some. Nor is a fault of a handler for one
 * of these, which cannot wait until the call has ended. */
static bool redirect_to_probe(int signo, const siginfo_t *info, void *ucontext)
{
    const struct moat_probe *probe = moat_probe;

    if (probe == NULL || probe->landing.resumer_sp == 0 ||
        !is_of_memory(signo, info) || moat_altstack_in_use(ucontext) ||
        moat_host_handler_runs(ucontext, probe->landing.resumer_sp))
        return false;
    redirect(&probe->landing, ucontext);
    return true;
}

void moat_trap_stop(struct co *co, void *ucontext)
{
    moat_host_handler_leave(co, ucontext, co->slot.base);
    co->control.state = MOAT_MARK_TRAPPED;
    moat_trap_abandon(ucontext);
    redirect(&co->control, ucontext);
}

static void stop_call(const struct moat_recovery *recovery, void *ucontext)
{
    moat_host_handler_leave(recovery->co, ucontext,
                            recovery->landing.resumer_sp);
    moat_trap_abandon(ucontext);
    redirect(&recovery->landing, ucontext);
}

/* Between the two stores by which a resume or a yield names a coroutine and
 * makes it run, its record leads nowhere yet. */
static bool is_running(const struct co *co)
{
    return co != NULL && moat_is_entered(co);
}

/*
 * Returns the guest that raised the signal; NULL: none did. It was none if the
 * fault is that of a host's handler on the alternate stack, or of one that has
 * interrupted moat while a lock was held, which the guest would never release;
 * if the thread is on a stack that other code uses; or if the way back leads
 * into a handler whose frames are overwritten.
 */
static struct co *find_guest(int signo, const siginfo_t *info,
                             const void *ucontext)
{
    struct co *co = moat_running();

    moat_stack_settle(co, moat_arch_sp_from_context(ucontext));
    if (!is_running(co) || moat_stack_host_is_lost(co) ||
        moat_altstack_in_use(ucontext) ||
        moat_copies_run_inside(moat_altstack_own(), co, ucontext) ||
        moat_seal_locks_held() ||
        (moat_signal_was_sent(info) && !sent_by_guest(signo, info, ucontext)))
        return NULL;
    co = moat_stack_owner(co, moat_arch_sp_from_context(ucontext));
    return is_running(co) ? co : NULL;
}

/* A process that shares the memory of this one, thread-locals included, until
 * it execs: the guest called vfork or the like. Its faults end it, and nothing
 * else; neither the guest nor the host's handlers may run there. */
static bool end_foreign_task(int signo, siginfo_t *info, void *ucontext)
{
    if ((moat_running() == NULL && moat_probe == NULL && moat_blame == NULL) ||
        moat_task_is_noted())
        return false;
    moat_task_end_clone();
    moat_chain_default(signo, info, ucontext);
    return true;
}

/* The fault ends a child that the guest has forked, as it would without moat.
 */
static bool end_forked_child(int signo, siginfo_t *info, void *ucontext,
                             const struct co *co)
{
    static const char text[] = "moat: a fault ends the forked child of a guest"
                               " (see MOAT_CO_FORK_RETURNS)\n";

    if (!moat_arch_has_border(&co->control))
        return false;
    /* The C library's write is a cancellation point. */
    (void)syscall(SYS_write, STDERR_FILENO, text, sizeof text - 1);
    moat_chain_default(signo, info, ucontext);
    return true;
}

/* Returns whether the fault may stop the guest; *recovery is then the point
 * where its call ends instead, or NULL: it traps. */
static bool may_stop(struct co *co, const siginfo_t *info, const void *ucontext,
                     struct moat_recovery **recovery)
{
    if (co->recovers)
        moat_recovery_settle(co, moat_arch_sp_from_context(ucontext));
    if (moat_trap_sections(co) == 0 &&
        moat_policy_allows_fault(co, info, ucontext)) {
        *recovery = NULL;
        return true;
    }
    *recovery = moat_trap_recovery(co);
    return *recovery != NULL;
}

/* A fault of code that the host runs for a guest. What runs next, on the same
 * stack below the faulting frames, stops the guest. */
static bool deliver_to_blamed(int signo, siginfo_t *info, void *ucontext)
{
    struct moat_blame *blame = moat_blame_find(ucontext);
    struct moat_recovery *recovery;

    if (blame == NULL || !is_running(blame->co) || moat_seal_locks_held() ||
        (moat_signal_was_sent(info) && !sent_by_guest(signo, info, ucontext)) ||
        !may_stop(blame->co, info, ucontext, &recovery))
        return false;
    if (recovery == NULL && end_forked_child(signo, info, ucontext, blame->co))
        return true;
    moat_record_fill(signo, info, ucontext, blame->co, true);
    moat_blame_aim(blame, ucontext);
    moat_trap_abandon(ucontext);
    redirect(&blame->landing, ucontext);
    return true;
}

static bool deliver(int signo, siginfo_t *info, void *ucontext)
{
    struct moat_recovery *recovery;
    struct co *co;

    if (end_foreign_task(signo, info, ucontext) ||
        redirect_to_probe(signo, info, ucontext) ||
        moat_copies_mend(moat_altstack_own(), signo, info, ucontext))
        return true;
    co = find_guest(signo, info, ucontext);
    if (co == NULL)
        return deliver_to_blamed(signo, info, ucontext);
    if (!may_stop(co, info, ucontext, &recovery))
        return false;
    if (recovery == NULL && end_forked_child(signo, info, ucontext, co))
        return true;
    moat_record_fill(signo, info, ucontext, co, false);
    if (recovery == NULL)
        moat_trap_stop(co, ucontext);
    else
        stop_call(recovery, ucontext);
    return true;
}

bool moat_source_deliver(void *siginfo, void *ucontext)
{
    unsigned char filter = moat_calls_begin(ucontext);
    bool delivered = deliver(SIGSEGV, siginfo, ucontext);

    moat_calls_end_inside(filter, ucontext);
    return delivered;
}

/* A source's `fault` is for SIGSEGV. SIGBUS means a page beyond the end of its
 * file. */
static bool claim_page_fault(int signo, siginfo_t *info, void *ucontext)
{
    bool (*fault)(void *, void *) = moat_trap_source_fault();

    if (signo == SIGSEGV && fault != NULL)
        return fault(info, ucontext);
    return moat_regions_fix(info, ucontext) || deliver(signo, info, ucontext);
}

/*
 * Asks in order: a peek of our own, then the source and the fault regions, then
 * the running coroutine. Without a source's `fault` and without regions only
 * the coroutine is asked. The same holds for a fault inside a region's `fix`,
 * which is treated as a fault of the host.
 */
static bool claim(int signo, siginfo_t *info, void *ucontext)
{
    bool claimed;

    if (!is_of_memory(signo, info))
        return deliver(signo, info, ucontext);
    /* A walk peeked at an address that cannot be read. */
    if (moat_arch_fix_peek(ucontext))
        return true;
    if (!moat_regions_any() && moat_trap_source_fault() == NULL)
        return deliver(signo, info, ucontext);
    if (moat_grace_enter()) {
        claimed = claim_page_fault(signo, info, ucontext);
        moat_grace_leave();
        return claimed;
    }
    /* A `fix` on this thread has itself faulted. Neither a landing nor a
     * siglongjmp returns to it, so its visit ends here. */
    claimed = deliver(signo, info, ucontext);
    moat_grace_leave();
    return claimed;
}

/* --- dispatched system calls ---------------------------------------------- */

/* Notes the call as that of a trap: its policy may deny it. */
static void ask(siginfo_t *info, void *ucontext, int saved_errno)
{
    struct co *co = moat_running();
    struct moat_recovery *recovery;

    moat_calls_of(co)->may_trap =
        may_stop(co, info, ucontext, &recovery) && recovery == NULL;
    moat_record_fill(SIGSYS, info, ucontext, co, false);
    moat_calls_ask(co, ucontext, saved_errno);
}

/* The guest's stack has overflowed, as far as this call is concerned. */
static bool deliver_no_room(siginfo_t *info, void *ucontext)
{
    struct co *co = moat_running();

    if (!deliver(SIGSYS, info, ucontext))
        return false;
    moat_trap_record_of(co)->kind = MOAT_TRAP_STACK_OVERFLOW;
    moat_trap_record_of(co)->passed.limit = MOAT_LIMIT_NONE;
    return true;
}

/* Nothing of a guest with a policy comes so far, unless it has got around that
 * or was allowed the call. Code that may not be stopped is told. */
static void refuse_call(siginfo_t *info, void *ucontext)
{
    if (!deliver(SIGSYS, info, ucontext))
        moat_arch_call_failed(ucontext, EPERM);
}

/* Returns false if the signal is the previous handler's. If the context has
 * been led on its way, the filter needs no more of it. */
static bool claim_call(siginfo_t *info, void *ucontext, int saved_errno,
                       unsigned char *filter)
{
    switch (moat_calls_dispatch(info, ucontext)) {
    case MOAT_DISPATCH_NONE:
        return false;
    case MOAT_DISPATCH_ROOM:
        return deliver_no_room(info, ucontext);
    case MOAT_DISPATCH_TRAP:
        return deliver(SIGSYS, info, ucontext);
    case MOAT_DISPATCH_BOUND:
        refuse_call(info, ucontext);
        return true;
    case MOAT_DISPATCH_ASK:
        ask(info, ucontext, saved_errno);
        break;
    case MOAT_DISPATCH_LED:
        break;
    }
    *filter = MOAT_FILTER_OFF;
    return true;
}

/* --- the signal ----------------------------------------------------------- */

/* The kernel's part of a sigset_t. */
static uint64_t mask_of(const void *ucontext)
{
    const ucontext_t *uc = ucontext;
    uint64_t mask;

    memcpy(&mask, &uc->uc_sigmask, sizeof mask);
    return mask;
}

/* The handler itself blocks nothing. The host may have called it with signals
 * blocked: a handler of its own, installed over this one, jumps here as its
 * last act, or it has changed the mask that goes with this one. */
static bool is_in_force(uint64_t mask)
{
    sigset_t now;
    uint64_t blocked;

    if (pthread_sigmask(SIG_BLOCK, NULL, &now) != 0)
        return false;
    memcpy(&blocked, &now, sizeof blocked);
    return blocked == mask;
}

/* Half of a trap's cost is the kernel's, on the way in and on the way out. To a
 * landing there is a shorter way out, unless the mask must change. */
static bool prepare_to_land(const void *ucontext)
{
    return MOAT_SWITCH_LANDS_AT_ONCE && !moat_annotate_active() &&
           !moat_annotate_emulated() && moat_arch_can_land(ucontext) &&
           is_in_force(mask_of(ucontext)) && moat_altstack_rearm_for_landing();
}

/* The interrupted code's mask is set before, as the return would have done: the
 * landing may keep it. */
void moat_trap_land(const void *ucontext)
{
    if (!moat_arch_can_land(ucontext))
        return;
    (void)moat_altstack_rearm_for_landing();
    (void)pthread_sigmask(SIG_SETMASK,
                          &((const ucontext_t *)ucontext)->uc_sigmask, NULL);
    moat_arch_land(ucontext);
}

/* Called by another copy of this library, whose handler stands over ours. */
static bool mend(int signo, siginfo_t *info, void *ucontext)
{
    bool mended = false;

    if (!is_of_memory(signo, info))
        return false;
    if (moat_arch_fix_peek(ucontext))
        return true;
    if (moat_regions_any() && moat_grace_enter()) {
        mended = moat_regions_fix(info, ucontext);
        moat_grace_leave();
    }
    mended = mended || redirect_to_probe(signo, info, ucontext);
    moat_trap_end_handler(ucontext);
    return mended;
}

void moat_trap_serve_copies(void)
{
    moat_copies_on_mend = mend;
}

void moat_trap_on_signal(int signo, siginfo_t *info, void *ucontext)
{
    unsigned char filter;
    bool claimed, lands;
    int saved_errno;

    moat_arch_enter_handler();
    filter = moat_calls_begin(ucontext);
    saved_errno = errno;
    if (signo == SIGSYS)
        claimed = claim_call(info, ucontext, saved_errno, &filter);
    else
        claimed = claim(signo, info, ucontext);
    if (!claimed)
        moat_chain_call(signo, info, ucontext);
    moat_calls_end(filter, ucontext);
    lands = MOAT_ARCH_CALLED_BY_KERNEL(ucontext) && prepare_to_land(ucontext);
    moat_altstack_return(ucontext, MOAT_ARCH_CALLED_BY_KERNEL(ucontext));
    errno = saved_errno;
    if (lands)
        moat_arch_land(ucontext);
    moat_trap_end_handler(ucontext);
}

bool moat_trap_handle(int signo, siginfo_t *info, void *ucontext)
{
    unsigned char filter;
    int saved_errno;
    bool claimed;

    moat_arch_enter_handler();
    if (info == NULL || ucontext == NULL || !MOAT_ARCH_REDIRECTS)
        return false;
    filter = moat_calls_begin(ucontext);
    saved_errno = errno;
    claimed = claim(signo, info, ucontext);
    /* The embedder may leave its handler by siglongjmp. */
    if (!claimed)
        moat_altstack_rearm();
    moat_calls_end_inside(filter, ucontext);
    errno = saved_errno;
    return claimed;
}
