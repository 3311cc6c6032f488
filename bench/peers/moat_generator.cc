/*
 * moat_generator.cc: moat::generator, for bench/generator.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/gen.hpp>

#include "bench/peers.h"

namespace
{

using numbers = moat::generator<uint64_t>;
using producer = moat::producer<uint64_t>;

uint64_t run_numbers(size_t count)
{
    uint64_t sum = 0;

    for (uint64_t item : numbers([count](producer &self) {
             for (uint64_t i = 0; i < count; ++i)
                 self.yield(i);
         }))
        sum += item;
    return sum;
}

__attribute__((noinline)) uint64_t walk(producer &self, unsigned depth,
                                        uint64_t key)
{
    if (depth == 0)
        return key;
    key = walk(self, depth - 1, key);
    self.yield(key);
    return walk(self, depth - 1, key + 1);
}

uint64_t run_tree(size_t count)
{
    uint64_t sum = 0;

    for (uint64_t item : numbers([](producer &self) {
             for (;;)
                 walk(self, TREE_DEPTH, 0);
         })) {
        sum += item;
        if (--count == 0)
            break;
    }
    return sum;
}

uint64_t run_lives(size_t count)
{
    uint64_t sum = 0;

    for (uint64_t i = 1; i <= count; ++i)
        for (uint64_t item :
             numbers([i](producer &self) { self.yield(uint64_t(i)); }))
            sum += item;
    return sum;
}

} // namespace

extern "C" const struct bench_peer peer_moat_generator;
const struct bench_peer peer_moat_generator = {"moat::generator",
                                               1,
                                               false,
                                               {nullptr, run_numbers, nullptr,
                                                run_tree, nullptr, nullptr,
                                                run_lives, nullptr},
                                               {},
                                               nullptr};
