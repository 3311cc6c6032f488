/*
 * span.h: runs of pages: taken, returned, merged, and given back to the system.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_SPAN_H
#define MOAT_HEAP_SPAN_H

#include <stdbool.h>

#include "heap/heap.h"

/* Takes so many pages, at least one. Returns NULL if the quota does not allow
 * them. The caller sets the kind. *zero: the pages read as zeros. */
struct moat_span *moat_span_take(moat_heap *heap, size_t pages, bool *zero);

/* Returns a span, and merges it with free neighbours. */
void moat_span_return(moat_heap *heap, struct moat_span *span);

/* Returns the pages of a large block beyond the first `pages`. */
void moat_span_shrink(moat_heap *heap, struct moat_span *span, size_t pages);

/* Lengthens a large block in place; false if the pages after it are not free
 * or the quota does not allow it. */
bool moat_span_grow(moat_heap *heap, struct moat_span *span, size_t pages);

/* Cuts the first `pages` off a large block and returns them. The result is what
 * is left of it. */
struct moat_span *moat_span_behead(moat_heap *heap, struct moat_span *span,
                                   size_t pages);

/* Returns `pages` pages from number `page` on, out of a span in use. What is
 * before and after them stays, as spans of the same kind. */
void moat_span_return_part(moat_heap *heap, struct moat_span *span, size_t page,
                           size_t pages);

/* Counts pages outside of spans, if the quota allows them, or no longer. */
bool moat_span_charge(moat_heap *heap, size_t pages);
void moat_span_discharge(moat_heap *heap, size_t pages);

/* Gives the memory of a free span back to the system. */
void moat_span_drop(moat_heap *heap, struct moat_span *span);

/* Gives the memory of free spans back to the system until those keep at most so
 * many pages. */
void moat_span_purge(moat_heap *heap, size_t keep);

#endif
