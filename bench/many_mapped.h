/*
 * many_mapped.h: the cases of bench/many on the stacks of task_stack.h, each
 * with a guard, which go back to the system at the end. It is read as C and as
 * C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MANY_MAPPED_H
#define BENCH_MANY_MAPPED_H

#include "bench/many_cases.h"
#include "bench/task_stack.h"

static void open(size_t count, bool guarded)
{
    (void)guarded; /* always */
    open_many(count);
}

static void close(void)
{
    close_many();
    task_stacks_forget();
}

static uint64_t serve(size_t requests, size_t active)
{
    uint64_t sum = run_service(requests, active);

    task_stacks_forget();
    return sum;
}

#endif
