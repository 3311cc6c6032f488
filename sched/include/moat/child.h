/*
 * child.h: waiting for child processes and for signals, by tasks.
 * <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CHILD_H
#define MOAT_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Waits for the end of a child process, and reaps it, as waitpid(2).
 *
 * To run a program with a deadline, start it by posix_spawn(3) and wait here;
 * after MOAT_E_TIMEOUT kill it and wait once more.
 *
 * @param pid          a child of the process, for which no other code waits
 * @param deadline     on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param[out] status  NULL, or the status, for WIFEXITED and the like; written
 *                     only on MOAT_OK
 *
 * @return MOAT_OK; or, and the child can still be waited for,
 *         MOAT_E_INVAL        pid is not positive
 *         MOAT_E_STATE        the caller is not a task
 *         MOAT_E_TIMEOUT      the deadline has passed
 *         MOAT_E_CANCELLED    the caller is being unwound, and would have to
 *                             wait
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_SYSTEM       a system call failed; see errno. ECHILD:
 *                             it is not a child, or was reaped already. ENOSYS:
 *                             the kernel has no pidfd_open(2)
 *
 * Ownership:     ends the caller's of the process' number, on MOAT_OK
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_signal_wait
 */
MOAT_API MOAT_NODISCARD moat_status moat_child_wait(pid_t pid,
                                                    uint64_t deadline,
                                                    int *status);

/**
 * Waits until one of several signals is pending, and takes it, as
 * sigtimedwait(2).
 *
 * All threads of the process must have the signals blocked, or they are
 * delivered instead: block them before the run starts.
 *
 * @param signals       not NULL; their numbers
 * @param count         how many; at least one
 * @param deadline      on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param[out] signal   NULL, or the number of the signal; written only on
 *                      MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      signals is NULL, count is 0, or one is not a signal
 *         MOAT_E_STATE      the caller is not a task
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_NOMEM      no memory
 *         MOAT_E_SYSTEM     a system call failed; see errno
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_child_wait, moat_waker_wake
 */
MOAT_API MOAT_NODISCARD moat_status moat_signal_wait(const int *signals,
                                                     size_t count,
                                                     uint64_t deadline,
                                                     int *signal);

MOAT_END_DECLS

#endif
