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

static moat_event events[BATCH];
static void *inputs[BATCH];

static uint64_t resume_batch(moat_co *const *batch, size_t first, size_t count)
{
    uint64_t sum = 0;
    size_t done;

    for (size_t i = 0; i < count; i++)
        inputs[i] = (void *)(first + i);
    if (moat_co_resume_n(batch, inputs, events, count, &done) != MOAT_OK)
        abort();
    for (size_t i = 0; i < count; i++)
        sum += (uintptr_t)events[i].value;
    return sum;
}

static size_t batch_at(size_t first)
{
    return task_count - first < BATCH ? task_count - first : BATCH;
}

/* As a scheduler would: it takes the next ones from its queue. */
static uint64_t run_order_in_batches(const uint32_t *order)
{
    static moat_co *next[BATCH];
    uint64_t sum = 0;

    for (size_t first = 0; first < task_count; first += BATCH) {
        size_t count = batch_at(first);

        for (size_t i = 0; i < count; i++)
            next[i] = (moat_co *)tasks[order[first + i]];
        sum += resume_batch(next, first, count);
    }
    return sum;
}

static uint64_t run_rounds_in_batches(size_t rounds)
{
    uint64_t sum = 0;

    for (size_t round = 0; round < rounds; round++)
        for (size_t first = 0; first < task_count; first += BATCH)
            sum += resume_batch((moat_co *const *)(tasks + first), first,
                                batch_at(first));
    return sum;
}

const struct many_engine many_moat = {
    "moat", 1, 0, open, run_round_robin, run_in_order, close_many, serve};
const struct many_engine many_moat_batch = {
    "moat, in batches",   1,          0,   open, run_rounds_in_batches,
    run_order_in_batches, close_many, NULL};
