/*
 * chain.c: our handlers over those that were there, and the way back to them.
 *
 * What is not a guest's trap goes to the previous handler as it asked to be
 * called; where there was none, the default action happens at the instruction
 * that was interrupted, so that a core shows the fault and not this file.
 *
 * `previous` is written before our handler is installed and afterwards only by
 * the handler itself (SA_RESETHAND), so the handler may read it at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "trap/internal.h"

/* SA_NODEFER: a fault in a chained handler must reach that handler's own rules,
 * not a blocked signal, which is certain death. SA_ONSTACK: the guest's stack
 * may be what overflowed. SA_RESTART is added as the caller says: a signal of
 * moat's own must not make more system calls fail than it has to (signal(7)
 * lists those that are never restarted). */
#define FLAGS (SA_SIGINFO | SA_ONSTACK | SA_NODEFER)

struct disposition {
    void (*handler)(int, siginfo_t *, void *); /* ours; NULL: not installed */
    struct sigaction previous;
};

static struct disposition dispositions[NSIG];

moat_status moat_chain_install(int signo,
                               void (*handler)(int, siginfo_t *, void *),
                               bool restart)
{
    struct disposition *disposition = &dispositions[signo];
    struct sigaction action;

    /* Left in place at a shutdown because somebody had put a handler over it:
     * that one still leads here, and to read it as the previous one now would
     * close a circle. */
    if (disposition->handler != NULL)
        return MOAT_OK;
    /* Asked first: a signal may come between installing and learning. */
    if (sigaction(signo, NULL, &disposition->previous) != 0)
        return MOAT_E_SYSTEM;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = FLAGS;
    if (restart || (disposition->previous.sa_flags & SA_RESTART) != 0)
        action.sa_flags |= SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(signo, &action, NULL) != 0)
        return MOAT_E_SYSTEM;
    disposition->handler = handler;
    return MOAT_OK;
}

moat_status moat_chain_check(int signo)
{
    const struct disposition *disposition = &dispositions[signo];
    struct sigaction now;

    if (disposition->handler == NULL)
        return MOAT_OK;
    if (sigaction(signo, NULL, &now) != 0)
        return MOAT_E_SYSTEM;
    if (now.sa_sigaction != disposition->handler ||
        (now.sa_flags & FLAGS) != FLAGS)
        return MOAT_E_HANDLER_LOST;
    return MOAT_OK;
}

moat_status moat_chain_remove(int signo)
{
    struct disposition *disposition = &dispositions[signo];
    moat_status status = moat_chain_check(signo);

    if (disposition->handler == NULL)
        return MOAT_OK;
    /* Somebody put a handler over ours and may still call ours from it: leave
     * everything where it is. */
    if (status != MOAT_OK)
        return status;
    if (sigaction(signo, &disposition->previous, NULL) != 0)
        return MOAT_E_SYSTEM;
    disposition->handler = NULL;
    return MOAT_OK;
}

/* The mask that the kernel would have put in force for the previous handler.
 * The interrupted one comes back with the context. */
static void block_as_asked(int signo, const struct sigaction *previous)
{
    sigset_t mask = previous->sa_mask;

    if (!(previous->sa_flags & SA_NODEFER))
        (void)sigaddset(&mask, signo);
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

static void call_previous(int signo, siginfo_t *info, void *ucontext,
                          struct sigaction previous)
{
    if (previous.sa_flags & (int)SA_RESETHAND)
        dispositions[signo].previous.sa_handler = SIG_DFL;
    block_as_asked(signo, &previous);
    /* It may leave by siglongjmp and never come back here. */
    moat_altstack_rearm();
    if (previous.sa_flags & SA_SIGINFO)
        previous.sa_sigaction(signo, info, ucontext);
    else
        previous.sa_handler(signo);
}

/*
 * Lets the default action happen at the interrupted instruction: the signal,
 * with its own siginfo, is queued while it is blocked, and the context is made
 * to unblock it. Returning alone would not do: after int3 the program would go
 * on.
 */
static void die(int signo, siginfo_t *info, void *ucontext)
{
    ucontext_t *uc = ucontext;
    struct sigaction action;
    sigset_t mask;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    (void)sigaction(signo, &action, NULL);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, signo);
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signo,
                  info);
    (void)sigdelset(&uc->uc_sigmask, signo);
}

void moat_chain_call(int signo, siginfo_t *info, void *ucontext)
{
    struct sigaction previous = dispositions[signo].previous;
    /* Beside SA_SIGINFO too: the kernel does not look at the flag. */
    bool handled =
        previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN;

    if (handled)
        call_previous(signo, info, ucontext, previous);
    /* The kernel ignores only what was sent: a fault cannot be stepped over. */
    else if (previous.sa_handler == SIG_DFL || info->si_code > 0)
        die(signo, info, ucontext);
}
