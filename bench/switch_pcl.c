/*
 * switch_pcl.c: the Portable Coroutine Library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_pcl.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

const struct bench_engine engine_pcl = {"PCL", 0.05, 0,
                                        SWITCH_BODIES(run_ring)};
