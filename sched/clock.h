/*
 * clock.h: the time of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include <stdint.h>

#include "sched/run.h"

/* Reads the clock into `worker->now`, and returns it. */
uint64_t moat_clock_read(struct worker *worker);

#endif
