/*
 * call_cases.h: the lives of bench/call, written once for the engines that have
 * a task. It is read as C and as C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CALL_CASES_H
#define BENCH_CALL_CASES_H

#include <stdint.h>

#include "bench/call.h"
#include "bench/task_stack.h"

static void *life_guest(struct task *self, void *input)
{
    (void)self;
    return (void *)((uintptr_t)input + 1);
}

static uint64_t run_lives(size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        struct task *task = make_task(life_guest);

        sum += (uintptr_t)resume_last(task, (void *)(uintptr_t)i);
        drop_task(task);
    }
    return sum;
}

static inline uint64_t run_new_lives(size_t count)
{
    return on_new_stacks(run_lives, count);
}

#endif
