/*
 * lines_none.c: a build without libdw knows no source locations.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/lines.h"

bool moat_lines_available(void)
{
    return false;
}

void moat_files_find(uintptr_t pc, uint64_t identity, bool with_lines,
                     struct moat_symbol *symbol)
{
    (void)with_lines;
    (void)identity;
    (void)pc;
    (void)symbol;
}
