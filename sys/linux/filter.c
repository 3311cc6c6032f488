/*
 * filter.c: the filter by Syscall User Dispatch (prctl(2),
 * PR_SET_SYSCALL_USER_DISPATCH): while the selector is set, a system call from
 * anywhere raises SIGSYS instead. No range is exempt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/filter.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sys/fork.h"
#include "sys/refusal.h"

/* linux/prctl.h of Linux 5.11. */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#    define PR_SET_SYSCALL_USER_DISPATCH 59
#    define PR_SYS_DISPATCH_OFF          0
#    define PR_SYS_DISPATCH_ON           1
#endif

__thread struct moat_filter moat_filter
    __attribute__((tls_model("initial-exec")));

/* The kernel kills a thread whose call it dispatches while the signal is
 * blocked. */
static void unblock_signal(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGSYS);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int set_dispatch(unsigned long mode, volatile unsigned char *selector)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, 0UL, 0UL, selector);
}

/* Only the thread that has forked takes note of it: others of the child were
 * never armed. */
moat_status moat_filter_arm(void)
{
    if (moat_filter.armed && !moat_fork_happened(MOAT_FORK_FILTERS))
        return MOAT_OK;
    if (set_dispatch(PR_SYS_DISPATCH_ON, &moat_filter.selector) != 0)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "limits->syscalls: prctl with "
                           "PR_SET_SYSCALL_USER_DISPATCH, of Linux 5.11, has "
                           "failed: %e");
    if (moat_filter.armed)
        moat_fork_settle(MOAT_FORK_FILTERS);
    moat_filter.armed = true;
    unblock_signal();
    return MOAT_OK;
}

void moat_filter_disarm(void)
{
    if (!moat_filter.armed)
        return;
    moat_filter = (struct moat_filter){MOAT_FILTER_OFF, MOAT_FILTER_OFF, false};
    (void)set_dispatch(PR_SYS_DISPATCH_OFF, NULL);
}

moat_status moat_filter_check(void)
{
    sigset_t mask;

    if (!moat_filter.armed)
        return MOAT_OK;
    if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return moat_refuse_errno("pthread_sigmask");
    return sigismember(&mask, SIGSYS) == 1 ? MOAT_E_HANDLER_LOST : MOAT_OK;
}

void moat_filter_repair(void)
{
    if (moat_filter.armed)
        unblock_signal();
}

void moat_filter_performed(const moat_syscall *call)
{
    if (call->number == SYS_rt_sigprocmask)
        unblock_signal();
}
