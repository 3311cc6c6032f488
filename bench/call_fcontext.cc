/*
 * call_fcontext.cc: Boost.Context's fcontext, called by its C ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>

#include <boost/context/detail/fcontext.hpp>

#include "bench/call.h"
#include "bench/task_stack.h"

namespace ctx = boost::context::detail;

static void guest(ctx::transfer_t from)
{
    ctx::jump_fcontext(from.fctx, static_cast<char *>(from.data) + 1);
    std::abort(); /* nobody resumes what has ended */
}

static inline std::uint64_t call(std::size_t number, char *stack)
{
    ctx::fcontext_t made =
        ctx::make_fcontext(stack + TASK_STACK_BYTES, TASK_STACK_BYTES, guest);
    ctx::transfer_t back =
        ctx::jump_fcontext(made, reinterpret_cast<void *>(number));

    return reinterpret_cast<std::uintptr_t>(back.data);
}

static std::uint64_t run_cached(std::size_t count)
{
    char *stack = task_stack_map();
    std::uint64_t sum = 0;

    for (std::size_t i = 0; i < count; i++)
        sum += call(i, stack);
    task_stack_unmap(stack);
    return sum;
}

static std::uint64_t run_fresh(std::size_t count)
{
    std::uint64_t sum = 0;

    for (std::size_t i = 0; i < count; i++) {
        char *stack = task_stack_map();

        sum += call(i, stack);
        task_stack_unmap(stack);
    }
    return sum;
}

extern const struct call_engine call_fcontext = {"fcontext", run_cached,
                                                 run_fresh, 1, 0};
