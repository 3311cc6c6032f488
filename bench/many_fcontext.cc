/*
 * many_fcontext.cc: Boost.Context's fcontext as an engine of bench/many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_fcontext.h"

#include "bench/many_cases.h"

static void open(std::size_t count, bool guarded)
{
    task_stack_guarded = guarded;
    open_many(count);
}

static void close()
{
    close_many();
    task_stacks_forget();
    task_stack_guarded = true;
}

static uint64_t serve(std::size_t requests, std::size_t active)
{
    uint64_t sum = run_service(requests, active);

    task_stacks_forget();
    return sum;
}

extern const struct many_engine many_fcontext = {
    "fcontext", 1, 0, open, run_round_robin, run_in_order, close, serve};
