/*
 * many_ucontext.c: glibc's swapcontext as an engine of bench/many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_ucontext.h"

#include "bench/many_cases.h"
#include "bench/many_mapped.h"

const struct many_engine many_ucontext = {
    "ucontext",      0.1,          MANY_GUARDED, open,
    run_round_robin, run_in_order, close,        serve};
