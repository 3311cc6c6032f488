/*
 * counters.c: the counters of workers as the statistics of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/counters.h"
#include "sched/run.h"

const uint64_t moat_delay_bounds[MOAT_SCHED_DELAYS - 1] = {
    1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

void moat_counters_end(struct counters *counters, const moat_result *result)
{
    if (result->kind == MOAT_EVENT_RETURN) {
        count(counters, COUNT_RETURNED);
    } else if (result->kind == MOAT_EVENT_TRAP) {
        unsigned kind = (unsigned)result->trap.kind;

        count(counters, COUNT_TRAPPED);
        if (kind < MOAT_SCHED_TRAP_KINDS)
            count(counters, COUNT_TRAP_KIND + (int)kind);
    } else if (result->kind == MOAT_EVENT_PANIC) {
        count(counters, COUNT_PANICKED);
    } else {
        count(counters, COUNT_CANCELLED);
        if (result->status != MOAT_OK)
            count(counters, COUNT_NOT_RUN);
    }
}

void moat_counters_delay(struct counters *counters, uint64_t ns)
{
    int bucket = 0;

    while (bucket < MOAT_SCHED_DELAYS - 1 && ns > moat_delay_bounds[bucket])
        bucket++;
    count(counters, COUNT_DELAY_BUCKET + bucket);
    counter_add(counters, COUNT_DELAY_NS, ns);
}

/* Other threads count meanwhile: what has gone may exceed what had come. */
static uint64_t difference(uint64_t come, uint64_t gone)
{
    return come > gone ? come - gone : 0;
}

static void fill_in(const uint64_t *at, moat_sched_stats *out)
{
    out->spawned = at[COUNT_SPAWNED];
    out->returned = at[COUNT_RETURNED];
    out->trapped = at[COUNT_TRAPPED];
    out->panicked = at[COUNT_PANICKED];
    out->cancelled = at[COUNT_CANCELLED];
    out->live = difference(out->spawned, out->returned + out->trapped +
                                             out->panicked + out->cancelled);
    out->switches = at[COUNT_SWITCHES];
    out->timeouts = at[COUNT_TIMEOUTS];
    out->deadlocks = at[COUNT_DEADLOCKS];
    out->not_run = at[COUNT_NOT_RUN];
    out->outside_wakes = at[COUNT_OUTSIDE_WAKES];
    out->moved = at[COUNT_MOVED];
    out->timers = difference(at[COUNT_TIMERS_SET], at[COUNT_TIMERS_GONE]);
    out->fresh = at[COUNT_FRESH];
    out->longest_run_ns = at[COUNT_LONGEST_RUN];
    out->delay_ns = at[COUNT_DELAY_NS];
    for (int i = 0; i < MOAT_SCHED_DELAYS; i++)
        out->delay_count += out->delays[i] = at[COUNT_DELAY_BUCKET + i];
    for (int i = 0; i < MOAT_SCHED_TRAP_KINDS; i++)
        out->traps[i] = at[COUNT_TRAP_KIND + i];
}

void moat_counters_sum(const struct worker *workers, unsigned number,
                       moat_sched_stats *out)
{
    uint64_t sum[COUNTERS] = {0};

    *out = (moat_sched_stats)MOAT_SCHED_STATS_INIT;
    for (unsigned i = 0; i < number; i++) {
        const struct counters *counters = &workers[i].counters;

        /* Ends are read before beginnings, so that no difference is negative.
         */
        for (int c = COUNTERS - 1; c >= 0; c--) {
            uint64_t value = counter_read(counters, c);

            if (c != COUNT_LONGEST_RUN)
                sum[c] += value;
            else if (value > sum[c])
                sum[c] = value;
        }
        out->ready +=
            atomic_load_explicit(&workers[i].ready.count, memory_order_relaxed);
    }
    fill_in(sum, out);
}
