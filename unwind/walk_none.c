/*
 * walk_none.c: a build without libunwind has no walks, and says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/unwind.h"

bool moat_unwind_available(void)
{
    return false;
}

void moat_unwind_here(moat_unwind_lookup *lookup, moat_unwind_visit *visit,
                      void *arg)
{
    (void)lookup;
    (void)visit;
    (void)arg;
}

void moat_unwind_from(const moat_regs *regs, bool exact,
                      moat_unwind_lookup *lookup, moat_unwind_visit *visit,
                      void *arg)
{
    (void)lookup;
    (void)regs;
    (void)exact;
    (void)visit;
    (void)arg;
}

bool moat_unwind_is_interrupted(const struct moat_unwind_frame *frame)
{
    (void)frame;
    return false;
}

void moat_unwind_regs(const struct moat_unwind_frame *frame, moat_regs *out)
{
    (void)frame;
    (void)out;
}

bool moat_unwind_same_procedure(const struct moat_unwind_frame *frame,
                                uintptr_t pc)
{
    (void)frame;
    (void)pc;
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
