/*
 * range.cc: generators of C++ in range-based loops.
 *
 * Shows: typed items; a generator over another; a loop left early, whose
 * generator is unwound; an exception and a trap of the body, which the loop
 * throws.
 * Run: build/debug/examples/range
 * Prints: the even numbers of Fibonacci below 1000, and how two other sequences
 * end (expected/range.txt).
 * Try: next() instead of a loop; it returns a pointer to the item.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <stdexcept>
#include <string>

#include <moat/gen.hpp>

namespace
{

struct farewell {
    ~farewell()
    {
        std::puts("unwound");
    }
};

void fibonacci(moat::producer<int> &self)
{
    farewell at_the_end;

    for (int a = 0, b = 1;;) {
        self.yield(a);
        b += a;
        a = b - a;
    }
}

void even(moat::producer<int> &self)
{
    for (int number : moat::generator<int>(fibonacci))
        if (number % 2 == 0)
            self.yield(number);
}

void lines(moat::producer<std::string> &self)
{
    self.yield("the first line");
    throw std::runtime_error("the file is not complete");
}

void fault(moat::producer<int> &self)
{
    int *volatile nowhere = nullptr;

    self.yield(1);
    self.yield(*nowhere + 1);
}

} // namespace

int main()
{
    for (int number : moat::generator<int>(even)) {
        if (number >= 1000)
            break;
        std::printf("%d\n", number);
    }
    try {
        for (const std::string &line : moat::generator<std::string>(lines))
            std::printf("%s\n", line.c_str());
    } catch (const std::runtime_error &error) {
        std::printf("error: %s\n", error.what());
    }
    try {
        for (int number : moat::generator<int>(fault))
            std::printf("%d\n", number);
    } catch (const moat::generator_trap &trap) {
        std::printf("trap: %s\n", trap.what());
    }
    return 0;
}
