/*
 * wrong_function.cc: does not compile, and the compiler's message explains why.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.hpp>

int main()
{
    moat::coroutine<int, int> adder([](auto &self) { self.yield(1); });

    return adder ? 0 : 1;
}
