/*
 * switch_threads.c: two threads that hand over to each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_threads.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

const struct bench_engine engine_threads = {"threads", 0.002, 1,
                                            SWITCH_BODIES(run_ring)};
