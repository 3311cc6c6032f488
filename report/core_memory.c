/*
 * core_memory.c: which of the process's memory can be read: not guards, holes,
 * and pages of a file that has become shorter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "report/core.h"
#include "sys/memory.h"
#include "sys/size.h"

/* Pieces of a page with less between them become one: a program header takes
 * about as much. */
#define GAP_BYTES 64

static uintptr_t next_page(uintptr_t address)
{
    return moat_page_of(address) + moat_page_bytes();
}

/* Returns how many bytes; 0: what is there cannot be read. */
static size_t copy(struct core *core, const struct moat_memory_part *from,
                   size_t count, void *to)
{
    size_t copied;
    moat_status status = moat_memory_read(from, count, to, &copied);

    if (core->status == MOAT_OK)
        core->status = status;
    return copied;
}

/* How many of the pages from `start` on can be read: a byte of each is. */
static size_t readable_pages(struct core *core, uintptr_t start, uintptr_t end)
{
    size_t count = 0;

    for (uintptr_t at = start; at < end && count < CORE_PROBES;
         at = next_page(at))
        core->probes[count++] = (struct moat_memory_part){at, 1};
    return copy(core, core->probes, count, core->probed);
}

/* The part that is being added; it begins at `start`. */
struct piece {
    struct core *core;
    uintptr_t start;
    bool sparse;
};

/* Ends the part, and begins another at `next`. */
static void cut(struct piece *piece, uintptr_t end, uintptr_t next)
{
    struct core *core = piece->core;

    if (piece->start < end && !moat_core_is_full(core))
        core->parts[core->part_count++] =
            (struct core_part){piece->start, end, piece->sparse};
    piece->start = next;
}

/* Leaves out the pages of [at, end) that cannot be read. */
static void cut_unreadable(struct piece *piece, uintptr_t at, uintptr_t end)
{
    struct core *core = piece->core;

    while (at < end && core->status == MOAT_OK) {
        size_t pages = readable_pages(core, at, end);

        if (pages > 0)
            at = next_page(at) + (pages - 1) * moat_page_bytes();
        if (at >= end || pages == CORE_PROBES)
            continue;
        cut(piece, at, next_page(at));
        at = next_page(at);
    }
}

void moat_core_add(struct core *core, uintptr_t start, uintptr_t end)
{
    struct piece piece = {core, start, false};

    cut_unreadable(&piece, start, end);
    cut(&piece, end, end);
}

static bool cut_run(uintptr_t low, uintptr_t high, void *arg)
{
    struct piece *piece = arg;

    cut_unreadable(piece, low, high);
    return piece->core->status == MOAT_OK;
}

void moat_core_add_private(struct core *core, uintptr_t start, uintptr_t end)
{
    struct piece piece = {core, start, true};

    if (start >= end)
        return;
    if (!moat_core_visit_contents(core, start, end, cut_run, &piece))
        cut_unreadable(&piece, piece.start, end);
    cut(&piece, end, end);
}

bool moat_core_visit_contents(struct core *core, uintptr_t low, uintptr_t high,
                              moat_run_visitor *visit, void *arg)
{
    return core->pagemap >= 0 &&
           moat_pagemap_visit(core->pagemap, moat_page_of(low),
                              next_page(high - 1), visit, arg) == MOAT_OK;
}

/* --- in order ------------------------------------------------------------ */

static void swap(struct core_part *a, struct core_part *b)
{
    struct core_part held = *a;

    *a = *b;
    *b = held;
}

/* Sifts the part at the root of a heap down. */
static void sink(struct core_part *parts, size_t root, size_t count)
{
    size_t child;

    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && parts[child].start < parts[child + 1].start)
            child++;
        if (parts[root].start >= parts[child].start)
            return;
        swap(&parts[root], &parts[child]);
        root = child;
    }
}

/* Not qsort, which may take the heap. */
static void sort(struct core_part *parts, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(parts, i, count);
    while (count-- > 1) {
        swap(&parts[0], &parts[count]);
        sink(parts, 0, count);
    }
}

/* Returns whether a part that begins at `start` continues the one before. Not
 * where a page begins: a tool looks for the header of a file there. */
static bool continues(const struct core_part *last, uintptr_t start)
{
    /* The bytes in between on the same page are readable, too. */
    return start < last->end ||
           (start % moat_page_bytes() != 0 && start - last->end < GAP_BYTES);
}

static void extend(struct core_part *last, const struct core_part *part)
{
    if (last->end < part->end)
        last->end = part->end;
    last->sparse = last->sparse && part->sparse;
}

void moat_core_sort(struct core *core)
{
    size_t count = 0;

    sort(core->parts, core->part_count);
    for (size_t i = 0; i < core->part_count; i++) {
        const struct core_part *part = &core->parts[i];
        struct core_part *last = core->parts + count - 1;

        if (count == 0 || !continues(last, part->start))
            core->parts[count++] = *part;
        else
            extend(last, part);
    }
    core->part_count = count;
}

bool moat_core_read(struct core *core, uintptr_t from, void *to, size_t bytes)
{
    unsigned char *at = to;
    bool any = false;

    while (bytes > 0) {
        const struct moat_memory_part part = {from, bytes};
        size_t done = copy(core, &part, 1, at);

        any |= done > 0;
        if (done == 0) {
            done = next_page(from) - from;
            done = done < bytes ? done : bytes;
            memset(at, 0, done);
        }
        at += done;
        from += done;
        bytes -= done;
    }
    return any;
}
