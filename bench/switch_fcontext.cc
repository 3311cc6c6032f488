/*
 * switch_fcontext.cc: Boost.Context's fcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_fcontext.h"

#include "bench/switch_cases.h"

extern const struct bench_engine engine_fcontext = {"fcontext", 1, 0,
                                                    SWITCH_BODIES};
