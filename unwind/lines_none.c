/*
 * lines_none.c: a build without libdw knows no file:line, and says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/unwind.h"

bool moat_lines_available(void)
{
    return false;
}

void moat_lines_find(uintptr_t pc, uint64_t identity,
                     struct moat_symbol *symbol)
{
    (void)identity;
    (void)pc;
    (void)symbol;
}
