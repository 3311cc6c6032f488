/*
 * metrics.h: what scripts have used, as text for Prometheus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "script.h"

/* Checks that the file of --metrics can be written; NULL: there is none.
 * Returns false after an error message. */
bool metrics_check(const char *path);

/* Kinds of traps, from 1. */
#define METRICS_COUNT_TRAP(name, number, text) +1
enum { METRICS_TRAPS = 1 MOAT_TRAP_MAP(METRICS_COUNT_TRAP) };
#undef METRICS_COUNT_TRAP

/* The sums of one script, or of all. */
struct metrics_row {
    uint64_t runs, restarts;
    uint64_t cpu_ns, wall_ns, resumes, preemptions, syscalls;
    uint64_t heap_bytes, heap_peak, heap_byte_ms, stack_peak;
    uint64_t verdicts[VERDICT_COUNT];
    uint64_t traps[METRICS_TRAPS];
};

struct metrics {
    const struct run_options *options;
    struct metrics_row all;
    struct metrics_row *rows; /* one per file; NULL: no metrics are wanted */
    uint64_t written_at, written_runs; /* by metrics_write_some */
};

/* Returns false after an error message. */
bool metrics_open(struct metrics *metrics, const struct run_options *options);

/* Adds a run. */
void metrics_add(struct metrics *metrics, const struct result *result);

/* Replaces the file as a whole. metrics_write_some does so once a second at
 * most, if runs have ended since. Both return false after an error message. */
bool metrics_write(struct metrics *metrics);
bool metrics_write_some(struct metrics *metrics);

void metrics_close(struct metrics *metrics);

#endif
