/*
 * many_moat.c: moat as an engine of bench/many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_moat.h"

#include "bench/many_cases.h"
#include "bench/task_stack.h"

/* All of moat's are guarded. */
static void open(size_t count, bool guarded)
{
    (void)guarded;
    task_options.stack_bytes = TASK_STACK_BYTES;
    open_many(count);
}

static uint64_t serve(size_t requests, size_t active)
{
    task_options.stack_bytes = TASK_STACK_BYTES;
    return run_service(requests, active);
}

const struct many_engine many_moat = {"moat",       open,       run_round_robin,
                                      run_in_order, close_many, serve};
