/*
 * many_cases.h: the cases of bench/many, written once for all engines, on the
 * tasks of task_moat.h or task_fcontext.h. It is read as C and as C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MANY_CASES_H
#define BENCH_MANY_CASES_H

#include <stdint.h>
#include <stdlib.h>

#include "bench/many.h"

#define CACHE_LINE   ((size_t)64)
#define SERVED_BYTES ((size_t)32 * 1024)

static struct task **tasks;
static size_t task_count;

/* Writes to its stack, and reads it again. */
static void *touching_guest(struct task *self, void *input)
{
    volatile uintptr_t word;

    for (;;) {
        word = (uintptr_t)input;
        input = yield(self, (void *)(word + 1));
    }
    return NULL;
}

static void open_many(size_t count)
{
    tasks = (struct task **)malloc(count * sizeof(*tasks));
    if (tasks == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        tasks[i] = make_task(touching_guest);
        resume(tasks[i], NULL);
    }
    task_count = count;
}

static uint64_t run_round_robin(size_t rounds)
{
    uint64_t sum = 0;

    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < task_count; i++)
            sum += (uintptr_t)resume(tasks[i], (void *)(uintptr_t)i);
    return sum;
}

static uint64_t run_in_order(const uint32_t *order)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < task_count; i++)
        sum += (uintptr_t)resume(tasks[order[i]], (void *)(uintptr_t)i);
    return sum;
}

static void close_many(void)
{
    for (size_t i = task_count; i > 0; i--)
        drop_task(tasks[i - 1]);
    free(tasks);
}

__attribute__((noinline)) static uintptr_t work(uintptr_t value)
{
    volatile char frame[SERVED_BYTES];

    for (size_t i = 0; i < SERVED_BYTES; i += CACHE_LINE)
        frame[i] = (char)value;
    return value + (uintptr_t)(frame[0] != (char)value);
}

static void *serving_guest(struct task *self, void *input)
{
    return (void *)work((uintptr_t)yield(self, input));
}

static uint64_t run_service(size_t requests, size_t active)
{
    struct task **ring = (struct task **)calloc(active, sizeof(*ring));
    uint64_t sum = 0;

    if (ring == NULL)
        abort();
    for (size_t i = 0; i < requests + active; i++) {
        struct task **place = &ring[i % active];

        if (*place != NULL) {
            sum += (uintptr_t)resume_last(*place, (void *)(uintptr_t)i);
            drop_task(*place);
            *place = NULL;
        }
        if (i < requests) {
            *place = make_task(serving_guest);
            resume(*place, (void *)(uintptr_t)i);
        }
    }
    free(ring);
    return sum;
}

#endif
