/*
 * code_throw.cc: C++ exceptions through registered code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unwind/code.h"

namespace
{

volatile int thrown = 4711;

void thrower()
{
    throw static_cast<int>(thrown);
}

} // namespace

int code_catches(code_function code)
{
    /* More values than the registers that a call does not preserve can hold. */
    const int a = thrown, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;
    volatile int before[] = {a, b, c, d, e, f};

    try {
        code(thrower);
    } catch (int what) {
        return what == thrown && a == before[0] && b == before[1] &&
               c == before[2] && d == before[3] && e == before[4] &&
               f == before[5];
    }
    return 0;
}

int code_throws(void)
{
    try {
        thrower();
    } catch (int what) {
        return what == thrown;
    }
    return 0;
}
