/*
 * views.cc: a generator as a range of C++20.
 *
 * Shows: moat::generator with std::views, and a fault in the middle of a
 * pipeline.
 * Run: build/debug/examples/views
 * Prints: squares of odd numbers, then a trap (expected/views.txt).
 * Try: std::views::transform on the last pipeline.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <ranges>

#include <moat/gen.hpp>

static_assert(std::ranges::input_range<moat::generator<int>>);

namespace
{

void count(moat::producer<int> &self)
{
    for (int i = 1;; ++i)
        self.yield(i);
}

void divide(moat::producer<int> &self)
{
    volatile int last = 0;

    for (int i = 2; i >= last; --i)
        self.yield(100 / i);
}

bool is_odd(int number)
{
    return number % 2 != 0;
}

int square(int number)
{
    return number * number;
}

} // namespace

int main()
{
    namespace views = std::views;
    moat::generator<int> numbers(count), quotients(divide);

    for (int number : numbers | views::filter(is_odd) |
                          views::transform(square) | views::take(4))
        std::printf("%d\n", number);
    try {
        for (int quotient : quotients | views::take(10))
            std::printf("%d\n", quotient);
    } catch (const moat::generator_trap &trap) {
        std::printf("trap: %s\n", trap.what());
    }
    return 0;
}
