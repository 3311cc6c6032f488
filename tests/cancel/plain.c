/*
 * plain.c: a C frame without unwinding support. Compiled twice without
 * -fexceptions: as plain_frame, and without any unwind information as
 * no_tables_frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guests.h"

static void note_p(const int *unused)
{
    (void)unused;
    note('P');
}

void PLAIN_NAME(moat_co *self, next_call next)
{
    __attribute__((cleanup(note_p))) int mine = 0;

    next(self, 1);
    note('!');
    (void)mine;
}
