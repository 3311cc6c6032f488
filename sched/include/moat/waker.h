/*
 * waker.h: wakers, by which another thread or a signal handler wakes a task.
 * <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_WAKER_H
#define MOAT_WAKER_H

#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

typedef struct moat_waker moat_waker;

MOAT_BEGIN_DECLS

/**
 * Creates a waker: a flag that any thread may set and a task can wait for.
 *
 * @param[out] out  the waker; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_waker_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_waker_wait, moat_waker_wake
 */
MOAT_API MOAT_NODISCARD moat_status moat_waker_create(moat_waker **out);

/**
 * Waits until the waker's flag is set, and clears it.
 *
 * While a task waits here the run is not deadlocked, since a wake may come from
 * outside. With MOAT_CLOCK_TEST time jumps nevertheless, if another task has a
 * deadline.
 *
 * @param waker     not NULL
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK if it was woken since the last MOAT_OK, however often, or
 *         MOAT_E_INVAL      waker is NULL or not a waker
 *         MOAT_E_STATE      the caller is not a task; a task of this or another
 *                           run waits for it already
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_NOMEM      no memory
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API MOAT_NODISCARD moat_status moat_waker_wait(moat_waker *waker,
                                                    uint64_t deadline);

/**
 * Wakes the task that waits, or lets the next wait return at once.
 *
 * @param waker  NULL is allowed
 *
 * Ownership:     unchanged; the waker must not be destroyed meanwhile
 * Thread-safety: any thread
 * Signal-safety: yes
 * Cost:          a system call for each thread of the run that sleeps
 */
MOAT_API void moat_waker_wake(moat_waker *waker);

/**
 * Frees a waker.
 *
 * @param waker  NULL is allowed; it must not be woken any more. The call has no
 *               effect while a task waits for it
 *
 * Ownership:     ends the caller's
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 */
MOAT_API void moat_waker_destroy(moat_waker *waker);

MOAT_END_DECLS

#endif
