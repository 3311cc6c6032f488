/*
 * uv.h: tasks of moat-sched in a loop of libuv. Of the library moat-uv.
 *
 * The loop owns the thread. When it has nothing else to do for the moment,
 * tasks have their turns, a round of 61 at most, and then the loop looks at its
 * own events again. Tasks may wait for descriptors, times, channels and each
 * other as in moat_sched_run; meanwhile the loop goes on.
 *
 * Callbacks of the loop's may call what is legal in moat_call_on_parent: an
 * item that a callback sends to a channel (moat_chan_send, deadline 0) wakes
 * the task that waits for it. A task calls functions of libuv only by
 * moat_call_on_parent: one that is stopped in the middle of such a function, by
 * a fault or a limit, would leave the loop half changed.
 *
 * The loop is alive while there are tasks. moat_uv_close ends them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UV_H
#define MOAT_UV_H

#include <moat/drive.h>
#include <moat/sched.h>

struct uv_loop_s;

/* A run of tasks in a loop. */
typedef struct moat_uv moat_uv;

MOAT_BEGIN_DECLS

/**
 * Opens a run of tasks in a loop.
 *
 * @param loop     the calling thread's loop, initialised; not NULL
 * @param options  as of moat_sched_open
 * @param[out] out  the run; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   loop or out is NULL; options that moat_sched_open
 *                        refuses
 *         MOAT_E_STATE   the caller is a coroutine, or its thread has a run
 *         MOAT_E_NOMEM   no memory
 *         MOAT_E_SYSTEM  libuv or a system call failed; see errno
 *         another one of moat_sched_open
 *
 * Ownership:     the caller's, until moat_uv_close
 * Thread-safety: the loop's thread
 * Signal-safety: no
 * Legal in:      the host
 * See also:      moat_uv_spawn, moat_sched_open
 */
MOAT_API MOAT_NODISCARD moat_status moat_uv_open(
    struct uv_loop_s *loop, const moat_sched_options *options, moat_uv **out);

/**
 * Starts a task, as moat_sched_spawn. It keeps the loop alive until it ends.
 *
 * @param uv       not NULL
 * @param fn       not NULL
 * @param arg      passed to fn and ended
 * @param options  NULL: those of the run; copied
 * @param ended    called by the loop with the task's result, however it ends;
 *                 it may call libuv and moat_uv_close; NULL: a failure is
 *                 reported as the run's options say
 * @param[out] out  NULL, or a handle for moat_task_cancel, valid until `ended`
 *                 is called. It cannot be joined
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        uv or fn is NULL; out is set and ended is not;
 *                             options that moat_co_create refuses
 *         MOAT_E_STATE        the caller is not the loop's thread, or is a task
 *         MOAT_E_CANCELLED    the run is being closed
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a limit that this build lacks
 *
 * Ownership:     the handle is the run's
 * Thread-safety: the loop's thread
 * Signal-safety: no
 * Legal in:      the host: callbacks of the loop's, and code around uv_run
 * See also:      moat_task_spawn
 */
MOAT_API MOAT_NODISCARD moat_status moat_uv_spawn(
    moat_uv *uv, moat_task_fn fn, void *arg, const moat_task_options *options,
    moat_end_fn ended, moat_task **out);

/**
 * Cancels the tasks that are left, awaits their ends, and closes the run's
 * handles in the loop.
 *
 * Functions of moat_uv_spawn are called before it returns, unless one of them
 * is the caller: then the close begins when that has returned. The memory is
 * freed when the loop has closed the handles: let uv_run go on until
 * uv_loop_close succeeds.
 *
 * @param uv      NULL is allowed
 * @param closed  called by the loop when all is freed, with arg; NULL: none
 * @param arg     passed to closed
 *
 * @return MOAT_OK, or
 *         MOAT_E_STATE  the caller is not the loop's thread, or is a task; it
 *                       is being closed already
 *
 * Ownership:     ends the caller's, on MOAT_OK
 * Thread-safety: the loop's thread
 * Signal-safety: no
 * Legal in:      the host: callbacks of the loop's, and code around uv_run
 */
MOAT_API moat_status moat_uv_close(moat_uv *uv, void (*closed)(void *arg),
                                   void *arg);

/**
 * Returns the run that the loop drives.
 *
 * @param uv  NULL is allowed
 * @return for moat_sched_live and moat_sched_fd; NULL: uv is NULL
 *
 * Ownership:     uv's
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API moat_sched *moat_uv_sched(const moat_uv *uv);

MOAT_END_DECLS

#endif
