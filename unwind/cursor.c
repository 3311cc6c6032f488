/*
 * cursor.c: puts registers into a cursor, and loads them from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cursor.h"

#include <string.h>

void moat_cursor_set(struct moat_cursor *cursor, const moat_regs *regs,
                     bool exact)
{
    cursor->values = *regs;
    cursor->pc = regs->pc;
    cursor->sp = regs->sp;
    cursor->exact = exact;
    cursor->object.start = cursor->object.end = 0;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        cursor->saved_at[i] =
            (uintptr_t)moat_arch_dwarf_register(&cursor->values, i);
}

void moat_cursor_get(const struct moat_cursor *cursor, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        uintptr_t value;

        if (moat_cursor_register(cursor, i, &value))
            *moat_arch_dwarf_register(out, i) = value;
    }
}
