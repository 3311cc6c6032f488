/*
 * switch_fiber.cc: boost::context::fiber.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>

#include "bench/task_fiber.h"

#include "bench/switch_cases.h"

namespace ctx = boost::context;

/* What resume gives back is the fiber that has resumed this one: the other. At
 * the end the second is where it stands, and is unwound. */
static std::uint64_t run_ring(std::size_t count)
{
    std::size_t left = count;
    std::uint64_t value = 0, sum = 0;
    ctx::fiber start, second;
    auto pass_on = [&](ctx::fiber &&other) {
        while (left > 0) {
            left--;
            sum += value++;
            other = std::move(other).resume();
        }
        return std::move(other);
    };
    ctx::fiber first(std::allocator_arg, task_stacks(), [&](ctx::fiber &&host) {
        start = std::move(host);
        second = pass_on(std::move(second));
        return std::move(start);
    });

    second =
        ctx::fiber(std::allocator_arg, task_stacks(), [&](ctx::fiber &&other) {
            return pass_on(std::move(other));
        });
    first = std::move(first).resume();
    return sum;
}

extern const struct bench_engine engine_fiber = {"boost fiber", 1, 0,
                                                 SWITCH_BODIES(run_ring)};
