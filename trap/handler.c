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
#include <unistd.h>

#include "trap/internal.h"

/* Signals that the CPU raised have positive codes; kill, tgkill, sigqueue and
 * timers give zero or less (sigaction(2)). */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* A signal that the guest sent to itself (abort, raise) is as much its doing as
 * a fault; one that somebody else sent is not. */
static bool sent_by_guest(int signo, const siginfo_t *info,
                          const void *ucontext)
{
    pid_t pid = getpid();

    return (info->si_code == SI_TKILL || info->si_code == SI_USER) &&
           info->si_pid == pid &&
           moat_arch_context_sent_signal(ucontext, signo, pid,
                                         (pid_t)syscall(SYS_gettid));
}

/* The kernel could not push the frame of another signal onto the guest's stack:
 * it then sends SIGSEGV with the code of a protection fault, and the context
 * still has the number of the thread's last exception, 0 (a division) if there
 * was none. After a protection fault the two cannot be told apart. */
static bool no_room_for_frame(int signo, const siginfo_t *info,
                              const struct moat_arch_fault *fault)
{
    if (signo != SIGSEGV || info->si_code != SI_KERNEL)
        return false;
    switch (fault->exception) {
    case MOAT_EXCEPTION_PROTECTION:
    case MOAT_EXCEPTION_PRIVILEGED:
    case MOAT_EXCEPTION_FETCH:
    case MOAT_EXCEPTION_OTHER:
        return false;
    default:
        return true;
    }
}

static void describe(int signo, const siginfo_t *info, const void *ucontext,
                     const struct moat_activation *activation,
                     struct moat_trap_record *record)
{
    struct moat_arch_fault fault = {MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0};

    moat_arch_regs_from_context(ucontext, &record->regs);
    moat_arch_fpu_from_context(ucontext, record->fpu);
    if (!was_sent(info))
        moat_arch_fault_from_context(ucontext, (uintptr_t)info->si_addr,
                                     &fault);
    if (no_room_for_frame(signo, info, &fault)) {
        fault.exception = MOAT_EXCEPTION_SIGNAL_FRAME;
        fault.access = MOAT_ACCESS_WRITE;
        fault.address = record->regs.sp;
    }
    /* 0, a division, is also what the context has where nothing was raised: in
     * a thread's first signal under Valgrind, which leaves the number out. */
    if (fault.exception == MOAT_EXCEPTION_DIVIDE && signo != SIGFPE)
        fault.exception = MOAT_EXCEPTION_OTHER;
    record->signo = signo;
    record->code = info->si_code;
    record->access = fault.access;
    record->address = fault.address;
    record->region = MOAT_REGION_UNKNOWN;
    record->user_code = 0;
    record->lock = NULL;
    if (fault.exception == MOAT_EXCEPTION_PAGE ||
        fault.exception == MOAT_EXCEPTION_SIGNAL_FRAME)
        record->region = moat_arena_region(fault.address, &activation->slot);
    record->kind = moat_trap_classify(signo, &fault, record->region,
                                      &record->regs, &activation->slot);
}

static void land(const moat_co *landing, void *ucontext)
{
    moat_arch_redirect_context(ucontext, landing, MOAT_EVENT_TRAP);
    moat_altstack_rearm_context(ucontext);
}

/* What a load or a store of the thread's own has raised. */
static bool is_of_memory(int signo, const siginfo_t *info)
{
    return (signo == SIGSEGV || signo == SIGBUS) && !was_sent(info);
}

/* A fault inside moat_trap_try: the walk over a dead guest's stack met a word
 * that is no address. Other signals are somebody else's: a debugger's, say, who
 * steps through the host. Before fn is called the landing leads nowhere. */
static bool land_in_probe(int signo, const siginfo_t *info, void *ucontext)
{
    const struct moat_probe *probe = moat_trap_thread.probe;

    if (probe == NULL || probe->landing.resumer_sp == 0 ||
        !is_of_memory(signo, info) || moat_altstack_in_use(ucontext))
        return false;
    land(&probe->landing, ucontext);
    return true;
}

void moat_trap_land(struct moat_activation *activation, void *ucontext)
{
    activation->co.state = MOAT_MARK_TRAPPED;
    land(&activation->co, ucontext);
}

/*
 * Is it the running coroutine's doing? Not if the fault is that of a host's
 * handler on the alternate stack; and not between the two stores by which a
 * resume or a yield names it and makes it run: its words would lead nowhere.
 */
static bool is_guests(int signo, const siginfo_t *info, const void *ucontext,
                      const struct moat_activation *activation)
{
    return activation != NULL && activation->co.state == MOAT_MARK_RUNNING &&
           !moat_altstack_in_use(ucontext) &&
           (!was_sent(info) || sent_by_guest(signo, info, ucontext));
}

bool moat_trap_deliver(int signo, siginfo_t *info, void *ucontext)
{
    struct moat_activation *activation = moat_trap_current();
    struct moat_recovery *recovery;
    bool trap;

    if (land_in_probe(signo, info, ucontext))
        return true;
    if (!is_guests(signo, info, ucontext, activation))
        return false;
    recovery = moat_trap_recovery(activation);
    trap = activation->notrap == 0 &&
           moat_policy_allows_fault(activation, info, ucontext);
    if (!trap && recovery == NULL)
        return false;
    describe(signo, info, ucontext, activation,
             moat_trap_record_of(activation));
    if (trap)
        moat_trap_land(activation, ucontext);
    else
        land(&recovery->landing, ucontext);
    return true;
}

bool moat_source_deliver(void *siginfo, void *ucontext)
{
    return moat_trap_deliver(SIGSEGV, siginfo, ucontext);
}

/* A source's `fault` is for SIGSEGV; SIGBUS is a page that its file does not
 * have. */
static bool claim_page_fault(int signo, siginfo_t *info, void *ucontext)
{
    bool (*fault)(void *, void *) = moat_trap_source_fault();

    if (signo == SIGSEGV && fault != NULL)
        return fault(info, ucontext);
    return moat_regions_fix(info, ucontext) ||
           moat_trap_deliver(signo, info, ucontext);
}

/*
 * Whose is it? Where nobody but moat itself has a say, moat_trap_deliver alone
 * decides. So it does for a fault in a region's `fix`: that one is the host's.
 */
static bool claim(int signo, siginfo_t *info, void *ucontext)
{
    bool claimed;

    if (!is_of_memory(signo, info))
        return moat_trap_deliver(signo, info, ucontext);
    /* A walk looked for a word where there is none. */
    if (moat_arch_fix_peek(ucontext))
        return true;
    if (!moat_regions_any() && moat_trap_source_fault() == NULL)
        return moat_trap_deliver(signo, info, ucontext);
    if (moat_grace_enter()) {
        claimed = claim_page_fault(signo, info, ucontext);
        moat_grace_leave();
        return claimed;
    }
    /* Neither a landing nor a former handler that leaves by siglongjmp comes
     * back to the `fix`. */
    claimed = moat_trap_deliver(signo, info, ucontext);
    moat_grace_leave();
    return claimed;
}

void moat_trap_on_signal(int signo, siginfo_t *info, void *ucontext)
{
    int saved_errno;

    moat_arch_clear_alignment_check();
    saved_errno = errno;
    if (!claim(signo, info, ucontext))
        moat_chain_call(signo, info, ucontext);
    errno = saved_errno;
}

bool moat_trap_handle(int signo, siginfo_t *info, void *ucontext)
{
    int saved_errno;
    bool claimed;

    moat_arch_clear_alignment_check();
    if (info == NULL || ucontext == NULL)
        return false;
    saved_errno = errno;
    claimed = claim(signo, info, ucontext);
    /* The embedder may leave its handler by siglongjmp. */
    if (!claimed)
        moat_altstack_rearm();
    errno = saved_errno;
    return claimed;
}
