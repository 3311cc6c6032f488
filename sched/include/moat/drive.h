/*
 * drive.h: a run whose thread belongs to another loop. <moat/sched.h> includes
 * it.
 *
 * moat_sched_run keeps its thread until all tasks have ended. A host that has
 * an event loop already opens a run instead, and drives it from the loop:
 *
 *     moat_sched_open(&options, &sched);
 *     watch moat_sched_fd(sched) for reading
 *     moat_sched_spawn(sched, fn, arg, NULL, ended, NULL);
 *
 *     when the descriptor can be read, or the time `next` has come:
 *         moat_sched_round(sched, &next);
 *         next is 0: call it again after a look at the loop's other events
 *
 * Between two rounds the thread is the run's host: it may call the functions
 * that are legal in moat_call_on_parent, such as moat_chan_send where it need
 * not wait, moat_close and moat_task_cancel. What becomes able to run by these
 * calls makes the descriptor readable.
 *
 * Deadlocks are not detected, since the host may wake any task. <moat/uv.h>, of
 * the library moat-uv, does all this for libuv.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_DRIVE_H
#define MOAT_DRIVE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>
#include <moat/task.h>

struct moat_sched_options;

/* A run that its host drives. */
typedef struct moat_sched moat_sched;

/**
 * Called when a task of moat_sched_spawn has ended: on the host's stack, by
 * moat_sched_round or moat_sched_close, between two turns of tasks.
 *
 * It may spawn tasks. A moat_result of MOAT_EVENT_PANIC has an exception that
 * it owns.
 */
typedef void (*moat_end_fn)(void *arg, const moat_result *result);

MOAT_BEGIN_DECLS

/**
 * Opens a run that the calling thread drives by moat_sched_round.
 *
 * @param options  NULL for all defaults; copied. `stats`, `monitor` and
 *                 `trace_fd` must stay valid until moat_sched_close, which
 *                 writes the statistics and the trace
 * @param[out] out  the run; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out is NULL; more than one thread;
 *                             MOAT_CLOCK_TEST; options that moat_sched_run
 *                             refuses
 *         MOAT_E_STATE        the caller is a coroutine, or its thread has a
 *                             run; the monitor has another run
 *         MOAT_E_LIMIT        16 runs have a dump_signal
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a limit that this build lacks
 *         MOAT_E_SYSTEM       a system call failed; see errno
 *
 * Ownership:     the caller's, until moat_sched_close
 * Thread-safety: any thread; until the close it has this run and no other
 * Signal-safety: no
 * Legal in:      the host
 * See also:      moat_sched_round, moat_sched_spawn, moat_sched_run
 */
MOAT_API MOAT_NODISCARD moat_status
moat_sched_open(const struct moat_sched_options *options, moat_sched **out);

/**
 * Cancels all tasks, runs them until they have ended, and frees the run.
 *
 * A task that never waits and never yields is not reached: give it a limit.
 * Functions of moat_sched_spawn are called, which can spawn no more.
 *
 * @param sched  NULL is allowed
 *
 * @return MOAT_OK, or
 *         MOAT_E_STATE  the caller is not the thread that has opened the run,
 *                       or is called by a round, a task, or a close
 *
 * Ownership:     ends the caller's, on MOAT_OK
 * Thread-safety: the thread that has opened the run
 * Signal-safety: no
 * Legal in:      the host, between two rounds
 */
MOAT_API moat_status moat_sched_close(moat_sched *sched);

/**
 * Starts a task of a run, from outside of it. It has its first turn in a later
 * round.
 *
 * @param sched    not NULL
 * @param fn       not NULL
 * @param arg      passed to fn and ended
 * @param options  NULL: those of the run; copied
 * @param ended    called with the result, however the task ends; NULL: a
 *                 failure is reported as the run's options say
 * @param[out] out  NULL, or a handle for moat_task_cancel, valid until `ended`
 *                 is called. It cannot be joined
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        sched or fn is NULL; out is set and ended is not;
 *                             options that moat_co_create refuses
 *         MOAT_E_STATE        the caller is not the thread that has opened the
 *                             run, or is a task of it: moat_task_spawn
 *         MOAT_E_CANCELLED    the run is being closed
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a limit that this build lacks
 *
 * Ownership:     the handle is the run's
 * Thread-safety: the thread that has opened the run; others wake a task by
 *                moat_waker_wake
 * Signal-safety: no
 * Legal in:      the host, between two rounds, and in a moat_end_fn
 * See also:      moat_sched_round, moat_task_options
 */
MOAT_API MOAT_NODISCARD moat_status moat_sched_spawn(
    moat_sched *sched, moat_task_fn fn, void *arg,
    const moat_task_options *options, moat_end_fn ended, moat_task **out);

/**
 * Runs the tasks that can run, at most one round of 61 turns, and computes when
 * the next round is due.
 *
 * @param sched  not NULL
 * @param[out] next  not NULL. The time of the next round, on moat_now, unless
 *                   the descriptor can be read before; 0: at once;
 *                   MOAT_NO_DEADLINE: only then. Written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  sched or next is NULL
 *         MOAT_E_STATE  the caller is not the thread that has opened the run,
 *                       or is called by a round, a task, or a close
 *
 * Ownership:     unchanged
 * Thread-safety: the thread that has opened the run
 * Signal-safety: no
 * Legal in:      the host
 * Cost:          one system call, for the descriptors that are ready
 * See also:      moat_sched_fd, moat_sched_live
 */
MOAT_API MOAT_NODISCARD moat_status moat_sched_round(moat_sched *sched,
                                                     uint64_t *next);

/**
 * Returns the descriptor that can be read when a round has something to do.
 *
 * It is level-triggered: it can be read until the round. Never read from it.
 *
 * @param sched  NULL is allowed
 * @return an epoll descriptor; -1: sched is NULL
 *
 * Ownership:     the run's
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API int moat_sched_fd(const moat_sched *sched);

/**
 * Returns the number of tasks that have not ended.
 *
 * @param sched  NULL is allowed
 * @return tasks; 0: sched is NULL
 *
 * Ownership:     unchanged
 * Thread-safety: the thread that has opened the run
 * Signal-safety: no
 */
MOAT_API size_t moat_sched_live(const moat_sched *sched);

MOAT_END_DECLS

#endif
