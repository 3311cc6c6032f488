/*
 * counters.h: what a worker counts. Only the worker writes its counters, so an
 * increment needs no lock and no locked instruction; any thread may read them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_COUNTERS_H
#define SCHED_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include <moat/sched.h>

enum counter {
    COUNT_SPAWNED,
    COUNT_RETURNED,
    COUNT_TRAPPED,
    COUNT_PANICKED,
    COUNT_CANCELLED,
    COUNT_NOT_RUN,
    COUNT_SWITCHES,
    COUNT_TIMEOUTS,
    COUNT_DEADLOCKS,
    COUNT_OUTSIDE_WAKES,
    COUNT_MOVED,
    COUNT_TIMERS_SET,
    COUNT_TIMERS_GONE,
    COUNT_FRESH,       /* tasks that wait for any thread, now (wait.h) */
    COUNT_LONGEST_RUN, /* a maximum, in nanoseconds */
    COUNT_DELAY_NS,
    COUNT_DELAY_BUCKET,
    COUNT_TRAP_KIND = COUNT_DELAY_BUCKET + MOAT_SCHED_DELAYS,
    COUNTERS = COUNT_TRAP_KIND + MOAT_SCHED_TRAP_KINDS
};

struct counters {
    _Atomic uint64_t at[COUNTERS];
};

static inline uint64_t counter_read(const struct counters *counters, int which)
{
    return atomic_load_explicit(&counters->at[which], memory_order_relaxed);
}

static inline void counter_set(struct counters *counters, int which,
                               uint64_t value)
{
    atomic_store_explicit(&counters->at[which], value, memory_order_relaxed);
}

static inline void counter_add(struct counters *counters, int which,
                               uint64_t more)
{
    counter_set(counters, which, counter_read(counters, which) + more);
}

static inline void count(struct counters *counters, int which)
{
    counter_add(counters, which, 1);
}

struct worker;

/* Fills in the statistics of some workers. */
void moat_counters_sum(const struct worker *workers, unsigned number,
                       moat_sched_stats *out);
/* A task has ended so. */
void moat_counters_end(struct counters *counters, const moat_result *result);
/* A task that could run has waited so long for its turn. */
void moat_counters_delay(struct counters *counters, uint64_t ns);
/* The upper bounds of MOAT_SCHED_DELAYS - 1 buckets, in nanoseconds. */
extern const uint64_t moat_delay_bounds[];

#endif
