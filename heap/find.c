/*
 * find.c: blocks looked up by those who do not trust the heap: its guest may
 * have been stopped in the middle, or have overwritten it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/allocator.h>

#include "heap/region.h"

#include "heap/heap.h"
#include "heap/tail.h"

/* Returns the span that the page's entry leads to, or NULL. */
static const struct moat_span *span_of(const moat_heap *heap, size_t page)
{
    const struct moat_span *span = &heap->spans[page];
    size_t back = span->kind == MOAT_SPAN_REST ? span->back : 0;

    if (back > page)
        return NULL;
    span -= back;
    page -= back;
    return span->pages != 0 && span->pages <= heap->fresh - page ? span : NULL;
}

static size_t small_bytes(const moat_heap *heap, const struct moat_span *span,
                          uintptr_t address)
{
    size_t bytes = span->units * MOAT_HEAP_UNIT;
    size_t at = address - moat_span_begin(heap, span);
    size_t all = (size_t)span->pages << MOAT_HEAP_PAGE_SHIFT;

    if (bytes == 0 || at % bytes != 0 || at + bytes > all ||
        at / MOAT_HEAP_UNIT >= span->cut)
        return 0;
    return bytes;
}

size_t moat_heap_find_block(const moat_heap *heap, const void *pointer)
{
    uintptr_t offset = (uintptr_t)pointer - heap->pages;
    const struct moat_span *span;
    size_t bytes;

    if (!moat_heap_region_intact(heap) ||
        offset >> MOAT_HEAP_PAGE_SHIFT >= heap->fresh)
        return 0;
    span = span_of(heap, offset >> MOAT_HEAP_PAGE_SHIFT);
    if (span == NULL)
        return 0;
    switch (span->kind) {
    case MOAT_SPAN_SMALL:
        return small_bytes(heap, span, (uintptr_t)pointer);
    case MOAT_SPAN_TAILED:
        bytes = small_bytes(heap, span, (uintptr_t)pointer);
        return bytes != 0 ? moat_tail_read(heap, pointer, bytes) : 0;
    case MOAT_SPAN_LARGE:
        return span->back == 0 &&
                       (uintptr_t)pointer == moat_span_begin(heap, span)
                   ? (size_t)span->pages << MOAT_HEAP_PAGE_SHIFT
                   : 0;
    default:
        return 0;
    }
}
