/*
 * chain.c: our handlers, and the previous ones below them.
 *
 * A signal that is not a guest's trap goes to the previous handler, called as
 * it asked to be. Without one the default action happens at the interrupted
 * instruction, so that a core file shows the fault and not this code.
 *
 * The previous handler is written before our handler is installed and
 * afterwards only by the handler itself (SA_RESETHAND), so the handler may read
 * it at any time. If the previous one was another copy's of this library, and
 * that ends, the next element takes over.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "sys/refusal.h"
#include "trap/altstack.h"
#include "trap/chain.h"

/* The first two, 32 and 33, are the C library's. */
#define KERNEL_SIGRTMIN 32

/* SA_NODEFER: the kernel kills a process that faults with the signal blocked,
 * and a chained handler may have its own way with its faults. SA_ONSTACK: the
 * guest's stack may have overflowed. SA_RESTART is added at the caller's
 * request: moat's own signal must not make more system calls fail than it has
 * to (signal(7) lists those that are never restarted). */
#define FLAGS (SA_SIGINFO | SA_ONSTACK | SA_NODEFER)

/* How often the previous handler can be replaced. */
#define REPLACEMENTS 7

/* Handlers of other copies that may stand over ours. */
#define MAX_COPIES 16

struct disposition {
    void (*handler)(int, siginfo_t *, void *); /* ours; NULL: not installed */
    struct sigaction before[1 + REPLACEMENTS];
    atomic_uint last; /* of `before`: the one in force */
};

static struct disposition dispositions[NSIG];

static struct sigaction *previous_of(int signo)
{
    struct disposition *disposition = &dispositions[signo];

    return &disposition->before[atomic_load_explicit(&disposition->last,
                                                     memory_order_acquire)];
}

/* A handler that is being called now may read the former action: it stays as it
 * is. */
static bool replace_previous(int signo, const struct sigaction *gone,
                             const struct sigaction *by)
{
    struct disposition *disposition = &dispositions[signo];
    unsigned next = atomic_load(&disposition->last) + 1;

    if (disposition->handler == NULL || next > REPLACEMENTS ||
        previous_of(signo)->sa_sigaction != gone->sa_sigaction)
        return false;
    disposition->before[next] = *by;
    atomic_store_explicit(&disposition->last, next, memory_order_release);
    return true;
}

/* Ours blocks nothing: its own loads may fault. Only that of an asynchronous
 * signal, which may come where a thread can be cancelled at any instruction,
 * blocks those by which the C library cancels: an unwinding would end on the
 * handler's own stack. */
static uint64_t mask_of_ours(int signo)
{
    return signo >= KERNEL_SIGRTMIN ? UINT64_C(3) << (KERNEL_SIGRTMIN - 1) : 0;
}

static bool is_ours(int signo, const struct sigaction *action)
{
    uint64_t mask;

    memcpy(&mask, &action->sa_mask, sizeof mask);
    return action->sa_sigaction == dispositions[signo].handler &&
           (action->sa_flags & FLAGS) == FLAGS && mask == mask_of_ours(signo);
}

/* Another copy asks what comes after our handler. */
static bool pass(int signo, const struct sigaction *installed,
                 struct sigaction *next)
{
    if (dispositions[signo].handler == NULL || !is_ours(signo, installed))
        return false;
    *next = *previous_of(signo);
    return true;
}

moat_status moat_chain_install(int signo,
                               void (*handler)(int, siginfo_t *, void *),
                               bool restart)
{
    struct disposition *disposition = &dispositions[signo];
    struct sigaction action;
    uint64_t mask = mask_of_ours(signo);

    /* A shutdown left ours installed because the host had put a handler over
     * it. That one still chains to ours: taking it for the previous one now
     * would close a loop. */
    if (disposition->handler != NULL)
        return MOAT_OK;
    moat_copies_on_replace = replace_previous;
    moat_copies_on_pass = pass;
    atomic_store(&disposition->last, 0);
    /* Read first: a signal may arrive right after the installation. */
    if (sigaction(signo, NULL, &disposition->before[0]) != 0)
        return moat_refuse_errno("sigaction");
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = FLAGS;
    if (restart || (disposition->before[0].sa_flags & SA_RESTART) != 0)
        action.sa_flags |= SA_RESTART;
    /* sigaddset refuses these. */
    memcpy(&action.sa_mask, &mask, sizeof mask);
    if (sigaction(signo, &action, NULL) != 0)
        return moat_refuse_errno("sigaction");
    disposition->handler = handler;
    return MOAT_OK;
}

static moat_status check_in_place(int signo, struct sigaction *now)
{
    if (sigaction(signo, NULL, now) != 0)
        return moat_refuse_errno("sigaction");
    return is_ours(signo, now) ? MOAT_OK : MOAT_E_HANDLER_LOST;
}

moat_status moat_chain_check(int signo)
{
    struct sigaction now;
    moat_status status;

    if (dispositions[signo].handler == NULL)
        return MOAT_OK;
    status = check_in_place(signo, &now);
    for (int i = 0; i < MAX_COPIES && status == MOAT_E_HANDLER_LOST; i++) {
        if (!moat_copies_pass(moat_altstack_own(), signo, &now, &now))
            return status;
        if (is_ours(signo, &now))
            status = MOAT_OK;
    }
    return status;
}

static bool hand_over(int signo, const struct disposition *disposition)
{
    struct sigaction ours = {.sa_sigaction = disposition->handler};

    return moat_copies_replace(signo, &ours, previous_of(signo));
}

moat_status moat_chain_remove(int signo)
{
    struct disposition *disposition = &dispositions[signo];
    struct sigaction now;
    moat_status status;

    if (disposition->handler == NULL)
        return MOAT_OK;
    status = check_in_place(signo, &now);
    /* The host put a handler over ours and may still chain to it: leave
     * everything as it is. Another copy can be told. */
    if (status == MOAT_E_HANDLER_LOST && hand_over(signo, disposition))
        status = MOAT_OK;
    else if (status == MOAT_OK &&
             sigaction(signo, previous_of(signo), NULL) != 0)
        status = moat_refuse_errno("sigaction");
    if (status == MOAT_OK)
        disposition->handler = NULL;
    return status;
}

/* Sets the mask that the kernel would have set for the previous handler. The
 * interrupted one is restored with the context. */
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
        previous_of(signo)->sa_handler = SIG_DFL;
    block_as_asked(signo, &previous);
    /* It may leave by siglongjmp and never return here. */
    moat_altstack_rearm();
    if (previous.sa_flags & SA_SIGINFO)
        previous.sa_sigaction(signo, info, ucontext);
    else
        previous.sa_handler(signo);
}

/*
 * Lets the default action happen at the interrupted instruction: queues the
 * signal, with its own siginfo, while it is blocked, and makes the context
 * unblock it. A mere return is not enough: after int3 the program would
 * continue.
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

void moat_chain_default(int signo, siginfo_t *info, void *ucontext)
{
    /* The kernel ignores only sent signals: a fault cannot be skipped. */
    if (previous_of(signo)->sa_handler != SIG_IGN || info->si_code > 0)
        die(signo, info, ucontext);
}

void moat_chain_call(int signo, siginfo_t *info, void *ucontext)
{
    struct sigaction previous = *previous_of(signo);
    /* With SA_SIGINFO, too: the kernel ignores the flag for these values. */
    bool handled =
        previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN;

    if (handled)
        call_previous(signo, info, ucontext, previous);
    else
        moat_chain_default(signo, info, ucontext);
}
