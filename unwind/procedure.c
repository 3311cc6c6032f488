/*
 * procedure.c: where the code of a function begins and ends, by its unwind
 * information, which static and stripped programs have too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/row.h"

bool moat_unwind_procedure(uintptr_t pc, uintptr_t *start, uintptr_t *end)
{
    struct moat_object object;
    const unsigned char *fde;

    if (!moat_object_find(pc, &object))
        return false;
    fde = moat_object_fde(&object, pc);
    return fde != NULL && moat_row_bounds(&object.bytes, fde, start, end) &&
           pc - *start < *end - *start;
}
