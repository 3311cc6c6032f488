/*
 * block.h: blocks that are spans of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_BLOCK_H
#define MOAT_HEAP_BLOCK_H

#include <stdbool.h>

#include "heap/heap.h"

/* Returns how many pages so many bytes take. */
static inline size_t moat_heap_pages_for(size_t bytes)
{
    return (bytes >> MOAT_HEAP_PAGE_SHIFT) + (bytes % MOAT_HEAP_PAGE != 0);
}

/* Takes a large block. NULL: the quota does not allow it. *zero: it reads as
 * zeros. */
struct moat_span *moat_large_take(moat_heap *heap, size_t pages, bool *zero);

/* Returns the span of a large block. */
struct moat_span *moat_large_span(moat_heap *heap, const void *pointer);

#endif
