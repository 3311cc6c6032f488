/*
 * switch_fcontext.cc: Boost.Context's fcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>

#include "bench/task_fcontext.h"

#include "bench/switch_cases.h"

static fctx::fcontext_t ring_host, ring_second;
static std::size_t ring_left;
static std::uint64_t ring_sum;

/* A jump gives back the context that has jumped here: the other. */
static void pass_on(fctx::fcontext_t other, void *input)
{
    while (ring_left > 0) {
        fctx::transfer_t back;

        ring_left--;
        ring_sum += reinterpret_cast<std::uintptr_t>(input);
        back = fctx::jump_fcontext(other, static_cast<char *>(input) + 1);
        other = back.fctx;
        input = back.data;
    }
    fctx::jump_fcontext(ring_host, nullptr);
}

static void run_second(fctx::transfer_t from)
{
    pass_on(from.fctx, from.data);
}

static void run_first(fctx::transfer_t from)
{
    ring_host = from.fctx;
    pass_on(ring_second, from.data);
}

static std::uint64_t run_ring(std::size_t count)
{
    char *first = task_stack_take(), *second = task_stack_take();

    ring_left = count;
    ring_sum = 0;
    ring_second = fctx::make_fcontext(second + TASK_STACK_BYTES,
                                      TASK_STACK_BYTES, run_second);
    fctx::jump_fcontext(fctx::make_fcontext(first + TASK_STACK_BYTES,
                                            TASK_STACK_BYTES, run_first),
                        nullptr);
    task_stack_give(second);
    task_stack_give(first);
    return ring_sum;
}

uint64_t fcontext_in_a_thread(size_t count)
{
    uint64_t sum = run_accumulate(count);

    task_stacks_forget();
    return sum;
}

extern const struct bench_engine engine_fcontext = {"fcontext", 1, 0,
                                                    SWITCH_BODIES(run_ring)};
