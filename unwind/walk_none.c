/*
 * walk_none.c: a build without libunwind has no walks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/walk_libunwind.h"

bool moat_unwind_available(void)
{
    return false;
}

bool moat_cursor_step_guessing(struct moat_cursor *cursor)
{
    (void)cursor;
    return false;
}

bool moat_unwind_same_procedure(uintptr_t pc, uintptr_t other)
{
    (void)pc;
    (void)other;
    return false;
}

bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    (void)pc;
    (void)name;
    (void)size;
    (void)offset;
    return false;
}
