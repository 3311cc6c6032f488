/*
 * switch_ucontext.c: glibc's swapcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_ucontext.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

const struct bench_engine engine_ucontext = {"ucontext", 0.02, 0,
                                             SWITCH_BODIES(run_ring)};
