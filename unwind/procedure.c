/*
 * procedure.c: where the code of a function begins and ends, by its unwind
 * information, which static and stripped programs have too.
 *
 * libgcc's search is used: libunwind's keeps two descriptors open from its
 * first question on, and this one is put at every start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/unwind.h"

/* Of unwind-dw2-fde.h, which is not installed. */
struct dwarf_eh_bases {
    void *tbase, *dbase, *func;
};
/* NOLINTNEXTLINE(bugprone-reserved-identifier): libgcc's name */
extern const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

/* A frame description entry in the form that all of .eh_frame has on this CPU
 * (LSB Core, 10.6.1): distances of four bytes from where they stand. */
struct fde {
    uint32_t length;
    int32_t to_cie;
    int32_t to_code;
    uint32_t code_bytes;
};

bool moat_unwind_procedure(uintptr_t pc, uintptr_t *start, uintptr_t *end)
{
    struct dwarf_eh_bases bases;
    const struct fde *fde = _Unwind_Find_FDE((void *)pc, &bases);

    if (fde == NULL)
        return false;
    *start = (uintptr_t)bases.func;
    /* If it is that form, both say the same. */
    if ((uintptr_t)&fde->to_code + (uintptr_t)(intptr_t)fde->to_code != *start)
        return false;
    *end = *start + fde->code_bytes;
    return true;
}
