/*
 * switch_coroutine2.cc: Boost.Coroutine2, which has no way from one coroutine
 * to another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_coroutine2.h"

#include "bench/switch_cases.h"

extern const struct bench_engine engine_coroutine2 = {
    "Boost.Coroutine2", 0.5, 0, SWITCH_BODIES(nullptr)};
