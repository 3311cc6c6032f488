/*
 * switch_pth.c: GNU Pth, by its user-space contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_pth.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

const struct bench_engine engine_pth = {"GNU Pth", 0.02, 0,
                                        SWITCH_BODIES(run_ring)};
