/*
 * scrub.c: clears stacks between two users, who must not read each other's
 * data. One system call searches neighbours in memory together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/scrub.h"

#include <string.h>

#include "stack/annotate.h"
#include "stack/arena.h"
#include "sys/pagemap.h"
#include "sys/pages.h"

void moat_stack_clear(uintptr_t low, uintptr_t high)
{
    moat_annotate_cleared(low, high);
    memset((void *)low, 0, high - low);
}

moat_status moat_stack_discard(uintptr_t low, uintptr_t high)
{
    moat_status status = moat_pages_drop_range(low, high);

    if (status != MOAT_E_UNSUPPORTED)
        return status;
    moat_stack_clear(low, high);
    return MOAT_OK;
}

static bool clear_run(uintptr_t low, uintptr_t high, void *arg)
{
    (void)arg;
    moat_stack_clear(low, high);
    return true;
}

moat_status moat_stack_zero(uintptr_t low, uintptr_t high)
{
    int pagemap = moat_pagemap_open();
    moat_status status = MOAT_E_SYSTEM;

    if (pagemap >= 0) {
        status = moat_pagemap_visit(pagemap, low, high, clear_run, NULL);
        moat_pagemap_close(pagemap);
    }
    /* Dropping leaves the same contents and costs more: no word of the old ones
     * survives. */
    return status == MOAT_OK ? MOAT_OK : moat_stack_discard(low, high);
}

/* --- chains --------------------------------------------------------------- */

/* Clears a run of pages except the guards in it. */
static bool clear_stacks(uintptr_t low, uintptr_t high, void *arg)
{
    const struct moat_arena *arena = arg;
    size_t stride = arena->stack_class->stride;

    while (low < high) {
        size_t offset = (low - arena->slots) % stride;
        uintptr_t guard = low - offset;
        uintptr_t limit = guard + arena->stack_class->guard_bytes;
        uintptr_t top = guard + stride < high ? guard + stride : high;

        if (low < limit)
            low = limit;
        if (low < top)
            moat_stack_clear(low, top);
        low = guard + stride;
    }
    return true;
}

struct moat_slot *moat_scrub(struct moat_slot *first)
{
    int pagemap = moat_pagemap_open();
    struct moat_slot **link = &first;

    while (*link != NULL) {
        struct moat_pages run;
        struct moat_slot *rest = moat_arena_run(*link, &run);
        bool cleared =
            pagemap >= 0 &&
            moat_pagemap_visit(pagemap, run.low, run.high, clear_stacks,
                               (*link)->arena) == MOAT_OK;

        while (*link != rest) {
            if (cleared || moat_stack_discard((*link)->limit,
                                              moat_slot_top(*link)) == MOAT_OK)
                link = &(*link)->next;
            else
                *link = (*link)->next;
        }
    }
    if (pagemap >= 0)
        moat_pagemap_close(pagemap);
    return first;
}
