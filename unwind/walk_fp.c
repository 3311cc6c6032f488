/*
 * walk_fp.c: follows frame pointers through memory that may hold anything.
 *
 * Every load is checked against the bounds first, and each record must lie
 * above the one before, so that the walk ends whatever it meets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/unwind.h"

/* What a function prologue leaves (psABI 3.2.2, figure 3.3). */
struct record {
    uintptr_t fp;
    uintptr_t pc;
};

static bool is_inside(uintptr_t fp, uintptr_t limit, uintptr_t base)
{
    return fp >= limit && fp < base && base - fp >= sizeof(struct record) &&
           fp % sizeof(uintptr_t) == 0;
}

void moat_unwind_fp(uintptr_t fp, uintptr_t limit, uintptr_t base,
                    moat_unwind_visit *visit, void *arg)
{
    while (is_inside(fp, limit, base)) {
        const struct record *record = (const struct record *)fp;
        struct moat_unwind_frame frame = {record->pc, fp + sizeof *record,
                                          false};

        if (record->pc == 0 || !visit(&frame, arg))
            return;
        limit = fp + sizeof *record;
        fp = record->fp;
    }
}
