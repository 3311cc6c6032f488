/*
 * call_coroutine2.cc: Boost.Coroutine2.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>

#include <boost/coroutine2/coroutine.hpp>

#include "bench/call.h"
#include "bench/task_boost.h"

typedef boost::coroutines2::coroutine<std::uint64_t> coroutine;

static std::uint64_t run_cached(std::size_t count)
{
    std::uint64_t sum = 0;

    for (std::size_t i = 0; i < count; i++) {
        std::uint64_t value = 0;
        coroutine::push_type guest(task_stacks(),
                                   [&value](coroutine::pull_type &source) {
                                       value = source.get() + 1;
                                   });

        guest(i);
        sum += value;
    }
    return sum;
}

static std::uint64_t run_fresh(std::size_t count)
{
    return on_new_stacks(run_cached, count);
}

extern const struct call_engine call_coroutine2 = {"Boost.Coroutine2",
                                                   run_cached, run_fresh, 1, 0};
