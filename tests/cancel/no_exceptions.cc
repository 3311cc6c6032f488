/*
 * no_exceptions.cc: a C++ frame compiled with -fno-exceptions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guests.h"

namespace
{
struct noted {
    ~noted()
    {
        note('P');
    }
};
} // namespace

void no_exceptions_frame(moat_co *self, next_call next)
{
    noted mine;

    next(self, 1);
    note('!');
}
