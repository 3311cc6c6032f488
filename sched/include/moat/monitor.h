/*
 * monitor.h: statistics of a run, and monitors, by which other threads see a
 * run. <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MONITOR_H
#define MOAT_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

/* Buckets of moat_sched_stats.delays, and kinds in moat_sched_stats.traps. */
#define MOAT_SCHED_DELAYS     8
#define MOAT_SCHED_TRAP_KINDS 32

/* All threads of a run, for moat_monitor_stats. */
#define MOAT_ALL_THREADS (~0u)

/** Statistics of a run, or of one of its threads. */
typedef struct moat_sched_stats {
    /* sizeof(moat_sched_stats); MOAT_SCHED_STATS_INIT sets it. */
    size_t struct_size;
    /* Tasks spawned, the first included, and those that have not ended. */
    uint64_t spawned, live;
    /* How tasks have ended. */
    uint64_t returned, trapped, panicked, cancelled;
    /* Times that a task was resumed. */
    uint64_t switches;
    /* Deadlines that passed while a task waited. */
    uint64_t timeouts;
    /* Times that every task waited and nothing could wake one. */
    uint64_t deadlocks;
    /* Of the cancelled: those that could not be run (moat_result.status). */
    uint64_t not_run;
    /* Of the trapped: how many of each moat_trap_kind. Those that have passed a
     * time limit are at MOAT_TRAP_DEADLINE. */
    uint64_t traps[MOAT_SCHED_TRAP_KINDS];
    /* Now: tasks in the threads' queues, which can run; tasks that have not
     * started and are in no thread's queue; deadlines that are waited for. */
    uint64_t ready, fresh, timers;
    /* Waits that moat_waker_wake has ended. */
    uint64_t outside_wakes;
    /* With moat_sched_options.measure_times or a trace, otherwise 0: the
     * longest turn of a task, in which it neither waited nor yielded. */
    uint64_t longest_run_ns;
    /* With the same: from the moment at which a task could run to its turn; how
     * often, the sum, and how often at most 1 us, 10 us, 100 us, 1 ms, 10 ms,
     * 100 ms, 1 s, and longer. */
    uint64_t delay_count, delay_ns;
    uint64_t delays[MOAT_SCHED_DELAYS];
    /* Times that a migratable task went on on another thread than before. */
    uint64_t moved;
} moat_sched_stats;

#define MOAT_SCHED_STATS_INIT                                                 \
    {                                                                         \
        sizeof(moat_sched_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}, 0, 0, 0, \
            0, 0, 0, 0, {0}, 0                                                \
    }

/* The handle by which other threads see a run. */
typedef struct moat_monitor moat_monitor;

MOAT_BEGIN_DECLS

/**
 * Makes a monitor, for moat_sched_options.monitor of one run after another.
 *
 * @param[out] out  the monitor
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   out is NULL
 *         MOAT_E_STATE   the caller is a coroutine
 *         MOAT_E_NOMEM   no memory
 *
 * Ownership:     the caller's, until moat_monitor_destroy
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_monitor_stats, moat_monitor_prometheus, moat_monitor_dump
 */
MOAT_API MOAT_NODISCARD moat_status moat_monitor_create(moat_monitor **out);

/**
 * Frees a monitor. While a run has it, and in a coroutine, the call has no
 * effect.
 *
 * @param monitor  NULL is allowed
 *
 * Ownership:     ends the caller's
 * Thread-safety: any; no other thread may use the monitor
 * Signal-safety: no
 */
MOAT_API void moat_monitor_destroy(moat_monitor *monitor);

/**
 * Returns how many threads the monitor's run has, or the last one had.
 *
 * @param monitor  NULL is allowed
 * @return threads; 0 before the first run
 *
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API unsigned moat_monitor_threads(const moat_monitor *monitor);

/**
 * Fills in the statistics of the monitor's run so far, or of its last one.
 *
 * The threads go on counting meanwhile: each figure is one that the run has
 * had, but two of them may be from different moments. The call takes no lock.
 *
 * @param monitor   not NULL
 * @param thread    its number, from 0, the thread of moat_sched_run;
 *                  MOAT_ALL_THREADS: the sum. For one thread `live`, `fresh`
 *                  and `timers` are 0
 * @param[out] out  its struct_size set by the caller
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  monitor or out is NULL, or its struct_size that of no
 *                       version; no such thread
 *
 * Thread-safety: any
 * Signal-safety: yes
 * See also:      moat_sched_get_stats
 */
MOAT_API MOAT_NODISCARD moat_status moat_monitor_stats(
    const moat_monitor *monitor, unsigned thread, moat_sched_stats *out);

/**
 * Writes the statistics in the text format of Prometheus, version 0.0.4: per
 * thread, with the thread's number as a label. docs/scheduler.md lists them.
 *
 * @param monitor      not NULL
 * @param[out] buffer  the text, with a zero at its end; NULL if size is 0
 * @param size         bytes of buffer. If it is too small the text is truncated
 *
 * @return the length of the whole text; 0: monitor is NULL, or has had no run
 *
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API size_t moat_monitor_prometheus(const moat_monitor *monitor,
                                        char *buffer, size_t size);

/**
 * Writes what every task of the monitor's run does, as moat_dump_tasks does,
 * from any thread. Backtraces are those of all threads.
 *
 * Each thread of the run describes its tasks between two turns. If a task keeps
 * its turn for more than a second, the dump notes that, and lists the tasks of
 * its thread without backtraces.
 *
 * @param monitor  not NULL
 * @param fd       a descriptor open for writing
 * @param json     one object of JSON instead of text for people
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL    monitor is NULL; fd is negative
 *         MOAT_E_STATE    the monitor has no run now; the caller is a
 *                         coroutine, or inside a run
 *         MOAT_E_TIMEOUT  the run has one thread and no dump_signal, and a task
 *                         kept its turn: nothing was written
 *         MOAT_E_NOMEM    no memory for the text, which was written in part
 *         MOAT_E_SYSTEM   write failed; see errno
 *
 * Thread-safety: any thread that is not in a run
 * Signal-safety: no
 * See also:      moat_sched_options, for the same by a signal
 */
MOAT_API moat_status moat_monitor_dump(moat_monitor *monitor, int fd,
                                       bool json);

MOAT_END_DECLS

#endif
