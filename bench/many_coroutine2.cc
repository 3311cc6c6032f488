/*
 * many_coroutine2.cc: Boost.Coroutine2 as an engine of bench/many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_coroutine2.h"

#include "bench/many_cases.h"
#include "bench/many_mapped.h"

extern const struct many_engine many_coroutine2 = {
    "Boost.Coroutine2", 0.3,          MANY_GUARDED, open,
    run_round_robin,    run_in_order, close,        serve};
