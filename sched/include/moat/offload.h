/*
 * offload.h: calls that block, on other threads, for tasks that wait.
 * <moat/sched.h> includes it.
 *
 * The threads are one pool for the process: at most 16, made when they are
 * needed, ended when they have had no work for ten seconds. All signals but
 * those of faults are blocked on them. A fault there is the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_OFFLOAD_H
#define MOAT_OFFLOAD_H

#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Calls a function on another thread, and waits until it has returned. For
 * files, and for other calls that block.
 *
 * If the caller is cancelled, the function goes on to its end, and its result
 * is dropped. So the data that it uses must not be on the stack or in the heap
 * of a guest, which may be gone by then. If `arg` itself points there, the call
 * notices: a cancellation then takes effect only after the function has
 * returned.
 *
 * @param fn        not NULL; it runs outside of any guest and of any run
 * @param arg       passed to fn
 * @param[out] out  NULL, or what fn has returned; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      fn is NULL
 *         MOAT_E_STATE      the caller is not a task
 *         MOAT_E_CANCELLED  the caller is being unwound; fn is not called,
 *                           unless arg is on its stack: then it waits
 *         MOAT_E_NOMEM      no memory, or no thread; fn is not called
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_offload_until, moat_waker_wake
 */
MOAT_API MOAT_NODISCARD moat_status moat_offload(void *(*fn)(void *), void *arg,
                                                 void **out);

/**
 * The same with a deadline, and for results that must be freed.
 *
 * @param fn        not NULL; it runs outside of any guest and of any run
 * @param arg       passed to fn; not on the caller's stack, nor in the heap of
 *                  a guest
 * @param left      NULL; or called on the other thread, or later on the run's,
 *                  with arg and the result of fn, if the caller does not get
 *                  that: its deadline has passed, or it is cancelled. If fn was
 *                  not called the result is NULL
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait, but the
 *                  function is not called either
 * @param[out] out  NULL, or what fn has returned; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      fn is NULL; arg is in a guest's memory. `left` is
 *                           not called
 *         MOAT_E_STATE      the caller is not a task; `left` is not called
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound; fn is not called
 *         MOAT_E_NOMEM      no memory, or no thread; fn is not called
 *
 * Ownership:     arg is the caller's again on MOAT_OK, MOAT_E_INVAL and
 *                MOAT_E_STATE; otherwise it belongs to fn and `left`
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_offload
 */
MOAT_API MOAT_NODISCARD moat_status moat_offload_until(
    void *(*fn)(void *), void *arg, void (*left)(void *arg, void *result),
    uint64_t deadline, void **out);

MOAT_END_DECLS

#endif
