/*
 * call_fiber.cc: boost::context::fiber, as its documentation shows it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <memory>
#include <utility>

#include <boost/context/fiber.hpp>

#include "bench/call.h"
#include "bench/task_boost.h"

namespace ctx = boost::context;

static std::uint64_t run_cached(std::size_t count)
{
    std::uint64_t sum = 0;

    for (std::size_t i = 0; i < count; i++) {
        std::uint64_t value = i;
        ctx::fiber fiber(std::allocator_arg, task_stacks(),
                         [&value](ctx::fiber &&host) {
                             value++;
                             return std::move(host);
                         });

        fiber = std::move(fiber).resume();
        sum += value;
    }
    return sum;
}

static std::uint64_t run_fresh(std::size_t count)
{
    return on_new_stacks(run_cached, count);
}

extern const struct call_engine call_fiber = {"boost fiber", run_cached,
                                              run_fresh, 1, 0};
