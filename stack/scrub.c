/*
 * scrub.c: stacks between two users who must not read each other. Neighbours in
 * memory are looked at by one system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <unistd.h>

#include "stack/annotate.h"
#include "stack/arena.h"
#include "stack/stack.h"

/* Clears a run of pages but for the guards in it. */
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
        if (low < top) {
            moat_annotate_cleared(low, top);
            memset((void *)low, 0, top - low);
        }
        low = guard + stride;
    }
    return true;
}

static moat_status discard(const struct moat_slot *slot)
{
    return moat_pages_discard(slot->limit, moat_slot_top(slot));
}

struct moat_slot *moat_scrub(struct moat_slot *first)
{
    int pagemap = moat_pages_open();
    struct moat_slot **link = &first;

    while (*link != NULL) {
        struct moat_pages run;
        struct moat_slot *rest = moat_arena_run(*link, &run);
        bool clear = pagemap >= 0 &&
                     moat_pages_visit(pagemap, run.low, run.high, clear_stacks,
                                      (*link)->arena) == MOAT_OK;

        while (*link != rest) {
            if (clear || discard(*link) == MOAT_OK)
                link = &(*link)->next;
            else
                *link = (*link)->next;
        }
    }
    if (pagemap >= 0)
        (void)close(pagemap);
    return first;
}
