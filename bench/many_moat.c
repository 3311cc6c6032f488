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

#define BATCH ((size_t)256)

/* As a scheduler would: it takes the next ones from its queue. */
static uint64_t run_batches(const uint32_t *order)
{
    static moat_co *next[BATCH];
    static void *inputs[BATCH];
    static moat_event events[BATCH];
    uint64_t sum = 0;
    size_t done;

    for (size_t first = 0; first < task_count; first += BATCH) {
        size_t count = task_count - first < BATCH ? task_count - first : BATCH;

        for (size_t i = 0; i < count; i++) {
            next[i] = (moat_co *)tasks[order[first + i]];
            inputs[i] = (void *)(first + i);
        }
        if (moat_co_resume_n(next, inputs, events, count, &done) != MOAT_OK)
            abort();
        for (size_t i = 0; i < count; i++)
            sum += (uintptr_t)events[i].value;
    }
    return sum;
}

const struct many_engine many_moat = {"moat",       open,       run_round_robin,
                                      run_in_order, close_many, serve};
const struct many_engine many_moat_batch = {
    "moat, in batches", open, NULL, run_batches, close_many, NULL};
