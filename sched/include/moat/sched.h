/*
 * sched.h: a scheduler of tasks, which run as moat's coroutines. It includes
 * tasks (task.h), groups (group.h), channels (chan.h), wakers (waker.h),
 * mutexes and conditions (mutex.h), rwlocks (rwlock.h), semaphores and wait
 * groups (semaphore.h), task-local values (local.h), supervisors
 * (supervisor.h), statistics and monitors (monitor.h), descriptors (io.h),
 * sockets (socket.h), children and signals (child.h), calls on other threads
 * (offload.h), runs in another loop (drive.h). docs/scheduler.md and docs/io.md
 * describe them. Not included: generators (gen.h, gen.hpp), which need no run.
 *
 * A task is a coroutine that may wait: for the end of another task, for an item
 * of a channel, for a time. If it overflows its stack, faults, passes a limit
 * or is cancelled, the tasks that wait for it get that as a result, and nothing
 * else ends.
 *
 * The body of a generator that a task consumes is a part of the task, and may
 * make its calls. "A coroutine inside a task" is any other one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SCHED_H
#define MOAT_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/chan.h>
#include <moat/child.h>
#include <moat/drive.h>
#include <moat/export.h>
#include <moat/group.h>
#include <moat/io.h>
#include <moat/local.h>
#include <moat/moat.h>
#include <moat/monitor.h>
#include <moat/mutex.h>
#include <moat/offload.h>
#include <moat/rwlock.h>
#include <moat/semaphore.h>
#include <moat/socket.h>
#include <moat/status.h>
#include <moat/supervisor.h>
#include <moat/task.h>
#include <moat/waker.h>

/** The clock that moat_now reads in a run. */
typedef enum moat_clock {
    /* CLOCK_MONOTONIC. */
    MOAT_CLOCK_REAL = 0,
    /* For tests: begins at 0, stands still while a task can run, and jumps to
     * the next deadline when all wait. */
    MOAT_CLOCK_TEST = 1
} moat_clock;

/**
 * Options of a run. Initialise the struct with MOAT_SCHED_OPTIONS_INIT.
 */
typedef struct moat_sched_options {
    /* sizeof(moat_sched_options); MOAT_SCHED_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* Threads that run tasks, the calling one included. 0: 1. At most 1024. */
    unsigned threads;
    /* The time that deadlines are compared with. */
    moat_clock clock;
    /* moat_limits.slice_ns of tasks whose own limits set none: after so many
     * nanoseconds the next task has its turn. 0: tasks are not interrupted.
     * Limits per resume then count each slice anew: use totals. */
    uint64_t slice_ns;
    /* Options of the first task, and of tasks spawned without options; copied.
     * NULL: all defaults. */
    const moat_task_options *task;
    /* Descriptor for reports: of a deadlock, with all tasks, and of failures
     * that no task waited for. 0: standard error; -1: none. */
    int report_fd;
    /* NULL, or the run's statistics; written when it ends. */
    moat_sched_stats *stats;
    /* NULL, or by which other threads see the run; stays the caller's, and must
     * outlive the run. */
    moat_monitor *monitor;
    /* Measures the times of moat_sched_stats, at the cost of reading the clock
     * at each switch. */
    bool measure_times;
    /* 0, or SIGQUIT, SIGHUP, SIGUSR1 or SIGUSR2: at that signal the run writes
     * to report_fd what all tasks do, as moat_monitor_dump does, and goes on.
     * Its disposition is restored when the run ends. With one thread it costs a
     * lock at each switch. */
    int dump_signal;
    /* 0, or a descriptor open for writing: a trace of the run in Chrome's JSON
     * format, written when it ends. Costs what measure_times does. */
    int trace_fd;
    /* Events that the trace keeps of each thread, the last ones, in 64 bytes
     * each. 0: 65536. */
    size_t trace_events;
} moat_sched_options;

#define MOAT_SCHED_OPTIONS_INIT                                           \
    {                                                                     \
        sizeof(moat_sched_options), 1, MOAT_CLOCK_REAL, 0, NULL, 0, NULL, \
            NULL, 0, 0, 0, 0                                              \
    }

MOAT_BEGIN_DECLS

/**
 * Runs a task, and all tasks that it starts.
 *
 * Tasks run on the calling thread and as many others as the options say. A task
 * starts on the first thread that is free, and stays there unless it is
 * migratable: errno and thread-local variables are its thread's, and other
 * tasks may change them while it waits.
 *
 * The call returns when the first task, and all tasks that it and its
 * descendants have spawned, have ended. Handles that were not joined are freed;
 * a failure that no task waited for is reported.
 *
 * When every task waits and nothing can wake one, all tasks that wait at
 * channels and for locks get MOAT_E_DEADLOCK; if there are none, all that wait
 * for tasks and groups. The first time this is reported, as by moat_dump_tasks.
 *
 * @param options   NULL for all defaults; copied
 * @param fn        the first task's function; not NULL
 * @param arg       passed to fn
 * @param[out] out  NULL, or the first task's result; written only on MOAT_OK
 *
 * @return MOAT_OK, whatever the tasks did, or
 *         MOAT_E_INVAL        fn is NULL; an unknown clock; too many threads; a
 *                             struct_size that no version had; options that
 *                             moat_co_create refuses; a dump_signal that is not
 *                             one of the four, or without a report_fd; a
 *                             negative trace_fd
 *         MOAT_E_STATE        the caller is a coroutine, or inside a run; the
 *                             monitor has another run
 *         MOAT_E_FULL         16 runs have a dump_signal
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  a limit that this build lacks
 *         MOAT_E_SYSTEM       a system call of the initialisation failed, or a
 *                             thread could not be created; see errno
 *
 * Ownership:     unchanged
 * Thread-safety: any thread; each may have a run of its own
 * Signal-safety: no
 * See also:      moat_task_spawn, moat_sched_options
 */
MOAT_API MOAT_NODISCARD moat_status
moat_sched_run(const moat_sched_options *options, moat_task_fn fn, void *arg,
               moat_result *out);

/**
 * Returns the time that deadlines are compared with, in nanoseconds.
 *
 * @return in a run with MOAT_CLOCK_TEST that clock's time; otherwise
 *         nanoseconds of CLOCK_MONOTONIC
 *
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API uint64_t moat_now(void);

/**
 * Waits for a time.
 *
 * @param ns  nanoseconds; 0: as moat_task_yield
 *
 * @return MOAT_OK when they have passed, or
 *         MOAT_E_STATE      the caller is not a task
 *         MOAT_E_CANCELLED  the caller is being unwound
 *         MOAT_E_NOMEM      no memory for the deadline
 *
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API moat_status moat_sleep(uint64_t ns);

/**
 * Writes what every task of the run does: its number, name and state, what it
 * waits for and since when, where it was spawned, and its backtrace if it is
 * one of the calling thread's.
 *
 * @param fd  a descriptor open for writing
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   fd is negative
 *         MOAT_E_STATE   the caller is not a task of the run, nor a function
 *                        that the run calls (moat_co_defer)
 *         MOAT_E_SYSTEM  write failed; see errno
 *
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 * See also:      moat_dump_tasks_json
 */
MOAT_API moat_status moat_dump_tasks(int fd);

/**
 * Writes what moat_dump_tasks does as JSON, one object.
 *
 * @param fd  a descriptor open for writing
 * @return as moat_dump_tasks
 *
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_dump_tasks_json(int fd);

/**
 * Fills in the run's statistics so far.
 *
 * @param[out] out  its struct_size set by the caller
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL, or its struct_size that of no version
 *         MOAT_E_STATE  the calling thread is not in a run, or in a coroutine
 *                       inside a task
 *
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API MOAT_NODISCARD moat_status moat_sched_get_stats(moat_sched_stats *out);

MOAT_END_DECLS

#endif
