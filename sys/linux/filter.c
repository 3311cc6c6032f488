/*
 * filter.c: the filter by Syscall User Dispatch (prctl(2),
 * PR_SET_SYSCALL_USER_DISPATCH). Either a system call from anywhere raises
 * SIGSYS instead while the selector is set, and no range is exempt; or one from
 * within a range always does, without a selector.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/filter.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "sys/fork.h"
#include "sys/page.h"
#include "sys/refusal.h"

/* linux/prctl.h of Linux 5.11. */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#    define PR_SET_SYSCALL_USER_DISPATCH 59
#    define PR_SYS_DISPATCH_OFF          0
#    define PR_SYS_DISPATCH_ON           1
#endif
/* Of Linux 6.17. */
#ifndef PR_SYS_DISPATCH_INCLUSIVE_ON
#    define PR_SYS_DISPATCH_INCLUSIVE_ON 2
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

static int set_dispatch(unsigned long mode, unsigned long from,
                        unsigned long bytes, volatile unsigned char *selector)
{
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, from, bytes, selector);
}

/* The kernel compares the address after the instruction, which has two bytes:
 * this is where it lies if any of them is in the range. */
static moat_status dispatch_some(const struct moat_filter_scope *scope)
{
    if (set_dispatch(PR_SYS_DISPATCH_INCLUSIVE_ON, scope->begin + 1,
                     scope->end - scope->begin + 1, NULL) == 0)
        return MOAT_OK;
    return moat_refuse(MOAT_E_UNSUPPORTED,
                       "limits->syscalls->code: prctl with "
                       "PR_SYS_DISPATCH_INCLUSIVE_ON, of Linux 6.17, has "
                       "failed: %e");
}

static moat_status dispatch_all(void)
{
    if (set_dispatch(PR_SYS_DISPATCH_ON, 0, 0, &moat_filter.selector) == 0)
        return MOAT_OK;
    return moat_refuse(MOAT_E_UNSUPPORTED,
                       "limits->syscalls: prctl with "
                       "PR_SET_SYSCALL_USER_DISPATCH, of Linux 5.11, has "
                       "failed: %e");
}

/* Only the thread that has forked takes note of it: others of the child were
 * never armed. */
moat_status moat_filter_arm(const struct moat_filter_scope *scope)
{
    moat_status status;

    if (moat_filter.armed && !moat_filter.lapsed &&
        moat_scopes_equal(&moat_filter.scope, scope) &&
        !moat_fork_happened(MOAT_FORK_FILTERS))
        return MOAT_OK;
    status = moat_scope_is_all(scope) ? dispatch_all() : dispatch_some(scope);
    if (status != MOAT_OK)
        return status;
    moat_filter.scope = *scope;
    if (moat_filter.armed)
        moat_fork_settle(MOAT_FORK_FILTERS);
    moat_filter.lapsed = false;
    moat_filter.armed = true;
    unblock_signal();
    return MOAT_OK;
}

void moat_filter_lapse(void)
{
    moat_filter.lapsed = true;
    (void)set_dispatch(PR_SYS_DISPATCH_OFF, 0, 0, NULL);
}

void moat_filter_disarm(void)
{
    if (!moat_filter.armed)
        return;
    moat_filter = (struct moat_filter){.selector = MOAT_FILTER_OFF,
                                       .confined = moat_filter.confined};
    (void)set_dispatch(PR_SYS_DISPATCH_OFF, 0, 0, NULL);
}

moat_status moat_filter_check(void)
{
    sigset_t mask;

    if (!moat_filter.armed && !moat_filter.confined)
        return MOAT_OK;
    if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return moat_refuse_errno("pthread_sigmask");
    return sigismember(&mask, SIGSYS) == 1 ? MOAT_E_HANDLER_LOST : MOAT_OK;
}

void moat_filter_repair(void)
{
    if (moat_filter.armed || moat_filter.confined)
        unblock_signal();
}

/* --- calls that are made for guests --------------------------------------- */

/* Whole pages go. */
static bool covers_filter(uint64_t begin, uint64_t bytes)
{
    uint64_t own = (uintptr_t)&moat_filter;
    uint64_t page = moat_page_bytes(), end;

    if (__builtin_add_overflow(begin, bytes, &end) || end > UINT64_MAX - page)
        return true;
    return begin < own + sizeof moat_filter && own < end + page;
}

bool moat_filter_survives(const moat_syscall *call)
{
    switch (call->number) {
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_pkey_mprotect:
    case SYS_remap_file_pages:
        return !covers_filter(call->args[0], call->args[1]);
    case SYS_mmap:
        return (call->args[3] & MAP_FIXED) == 0 ||
               !covers_filter(call->args[0], call->args[1]);
    case SYS_mremap:
        return !covers_filter(call->args[0], call->args[1]) &&
               ((call->args[3] & MREMAP_FIXED) == 0 ||
                !covers_filter(call->args[4], call->args[2]));
    case SYS_shmat:
        return (call->args[2] & SHM_REMAP) == 0;
    case SYS_process_madvise:
        return false; /* its ranges can change */
    default:
        return true;
    }
}

void moat_filter_performed(const moat_syscall *call)
{
    if (call->number == SYS_rt_sigprocmask)
        unblock_signal();
}
