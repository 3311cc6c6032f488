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

void moat_lines_lock(void)
{
}

void moat_lines_unlock(void)
{
}

void moat_lines_find(uintptr_t pc, struct moat_symbol *symbol)
{
    (void)pc;
    (void)symbol;
}
