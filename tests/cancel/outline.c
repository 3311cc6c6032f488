/*
 * outline.c: a guest that cannot inline the switch. Compiled with
 * MOAT_NO_INLINE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guests.h"

static void note_digit(const int *depth)
{
    note((char)('0' + *depth));
}

__attribute__((noinline)) void outline_descend(moat_co *self, int depth)
{
    __attribute__((cleanup(note_digit))) int mine = depth;

    if (depth > 1)
        outline_descend(self, depth - 1);
    else
        (void)moat_co_yield(self, NULL);
    note('!');
    (void)mine;
}
