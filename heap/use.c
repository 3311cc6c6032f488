/*
 * use.c: what a heap has in use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/region.h"
#include "heap/span.h"

/* At most what its pages hold, whatever a guest has written there. */
static size_t bytes_in(const struct moat_span *span)
{
    size_t all = (size_t)span->pages << MOAT_HEAP_PAGE_SHIFT, bytes;

    switch (span->kind) {
    case MOAT_SPAN_SMALL:
    case MOAT_SPAN_TAILED:
        bytes = (size_t)span->used * span->units * MOAT_HEAP_UNIT;
        return bytes < all ? bytes : all;
    case MOAT_SPAN_LARGE:
    case MOAT_SPAN_MAPPED:
        return all;
    default:
        return 0;
    }
}

/* Returns the span that begins at the page; NULL: there is none, as *page is
 * the end or the heap has been overwritten. Moves *page to the next one. */
static struct moat_span *next_span(const moat_heap *heap, size_t *page)
{
    struct moat_span *span = &heap->spans[*page];

    if (*page >= heap->fresh || span->pages == 0 ||
        span->pages > heap->fresh - *page)
        return NULL;
    *page += span->pages;
    return span;
}

size_t moat_heap_used(const moat_heap *heap)
{
    size_t bytes = 0, page = 0;
    const struct moat_span *span;

    if (!moat_heap_region_intact(heap))
        return 0;
    while ((span = next_span(heap, &page)) != NULL)
        bytes += bytes_in(span);
    return bytes + heap->break_bytes;
}

size_t moat_heap_peak(const moat_heap *heap)
{
    return heap->peak << MOAT_HEAP_PAGE_SHIFT;
}

/* By the spans' order, not by their lists, on which a guest may have been
 * stopped. */
void moat_heap_trim(moat_heap *heap)
{
    struct moat_span *span;
    size_t page = 0;

    if (!moat_heap_region_intact(heap))
        return;
    while ((span = next_span(heap, &page)) != NULL) {
        if (span->kind == MOAT_SPAN_FREE)
            moat_span_drop(heap, span);
    }
}
