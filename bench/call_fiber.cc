/*
 * call_fiber.cc: boost::context::fiber, with stacks as fcontext gets them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <utility>

#include <boost/context/fiber.hpp>
#include <boost/context/stack_context.hpp>

#include "bench/call.h"
#include "bench/task_stack.h"

namespace ctx = boost::context;

namespace
{

struct kept_stack {
    char *stack;

    ctx::stack_context allocate() const
    {
        ctx::stack_context made;

        made.size = TASK_STACK_BYTES;
        made.sp = stack + TASK_STACK_BYTES;
        return made;
    }

    void deallocate(ctx::stack_context &) const
    {
    }
};

struct new_stack {
    ctx::stack_context allocate() const
    {
        return kept_stack{task_stack_map()}.allocate();
    }

    void deallocate(ctx::stack_context &used) const
    {
        task_stack_unmap(static_cast<char *>(used.sp) - used.size);
    }
};

template <typename Stacks>
std::uint64_t run(std::size_t count, const Stacks &stacks)
{
    std::uint64_t sum = 0;

    for (std::size_t i = 0; i < count; i++) {
        std::uint64_t value = i;
        ctx::fiber fiber(std::allocator_arg, stacks,
                         [&value](ctx::fiber &&host) {
                             value++;
                             return std::move(host);
                         });

        fiber = std::move(fiber).resume();
        sum += value;
    }
    return sum;
}

std::uint64_t run_cached(std::size_t count)
{
    kept_stack kept{task_stack_map()};
    std::uint64_t sum = run(count, kept);

    task_stack_unmap(kept.stack);
    return sum;
}

std::uint64_t run_fresh(std::size_t count)
{
    return run(count, new_stack{});
}

} // namespace

extern const struct call_engine call_fiber = {"boost fiber", run_cached,
                                              run_fresh};
