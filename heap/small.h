/*
 * small.h: small blocks taken and returned, as far as that is nearly always
 * enough: inline, since it takes no longer than a call.
 *
 * Taking one is a class, a span and the head of a list; returning one is the
 * span of its page and the same list. Everything else is rare and lies in
 * block.c: a span has no free block, or has its first one again, or is free as
 * a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_SMALL_H
#define MOAT_HEAP_SMALL_H

#include <stdbool.h>

#include <moat/export.h>

#include "heap/heap.h"

static inline struct moat_free_block *
moat_small_at(const moat_heap *heap, const struct moat_span *span, size_t unit)
{
    return (struct moat_free_block *)(moat_span_begin(heap, span) +
                                      unit * MOAT_HEAP_UNIT);
}

static inline void moat_small_link(const moat_heap *heap,
                                   struct moat_free_block *block, uint64_t next)
{
    block->next = next;
    block->mark = heap->mark ^ next;
}

/* Returns whether a block may be a free one: its mark may also be what the
 * guest left in a block of its own. A damaged `next` does not matter here. */
static inline bool moat_small_is_marked(const moat_heap *heap,
                                        const struct moat_free_block *block)
{
    return block->mark >> 32 == heap->mark >> 32;
}

/* Returns whether a free block is as it was when it was freed. */
static inline bool moat_small_is_intact(const moat_heap *heap,
                                        const struct moat_free_block *block)
{
    return (block->mark ^ block->next) == heap->mark;
}

/* Takes a block from the current span of its class; NULL: that has none. */
static inline void *moat_small_take(moat_heap *heap, unsigned size_class)
{
    struct moat_span *span = heap->current[size_class];
    struct moat_free_block *block;

    if (MOAT_UNLIKELY(span->free == 0))
        return NULL;
    block = moat_small_at(heap, span, span->free - 1u);
    if (MOAT_UNLIKELY(!moat_small_is_intact(heap, block)))
        moat_heap_misused(heap, MOAT_MISUSE_USED_FREED);
    span->free = (uint16_t)block->next;
    span->used++;
    block->mark = 0;
    return block;
}

/* Returns whether the address lies in pages that the heap has used. */
static inline bool moat_small_may_own(const moat_heap *heap,
                                      const void *pointer)
{
    return ((uintptr_t)pointer - heap->pages) >> MOAT_HEAP_PAGE_SHIFT <
           heap->fresh;
}

/* Where an address lies: the span of its page, and how far from its begin. */
struct moat_place {
    struct moat_span *span;
    size_t offset;
};

/* The caller has asked moat_small_may_own. What the span is for is not known
 * yet. The offset does not wait for the span's address: the next block to be
 * taken may depend on it. */
static inline struct moat_place moat_small_place(const moat_heap *heap,
                                                 const void *pointer)
{
    uintptr_t offset = (uintptr_t)pointer - heap->pages;
    size_t page = offset >> MOAT_HEAP_PAGE_SHIFT;

    page -= heap->spans[page].back;
    return (struct moat_place){&heap->spans[page],
                               offset - (page << MOAT_HEAP_PAGE_SHIFT)};
}

/* Returns the unit that a block of a span of small ones begins at. Ends the
 * guest if none begins there: an offset times the reciprocal of a block's size
 * has a fraction below the reciprocal only if it is a multiple of the size. */
static inline size_t moat_small_unit(moat_heap *heap, struct moat_place place)
{
    uint32_t reciprocal = place.span->reciprocal;
    size_t unit = place.offset / MOAT_HEAP_UNIT;

    if (MOAT_UNLIKELY((uint32_t)place.offset * reciprocal >= reciprocal ||
                      unit >= place.span->cut))
        moat_heap_misused(heap, MOAT_MISUSE_NOT_A_BLOCK);
    return unit;
}

/* Ends the guest if the block is free. */
void moat_small_check_mark(moat_heap *heap, const struct moat_span *span,
                           size_t unit);

/* Puts a block on the list of its span. Returns whether the caller must call
 * moat_small_settle: the span has no more than `keep` blocks in use. */
static inline bool moat_small_put(const moat_heap *heap, struct moat_span *span,
                                  struct moat_free_block *block, size_t unit)
{
    moat_small_link(heap, block, span->free);
    span->free = (uint16_t)(unit + 1);
    return --span->used <= span->keep;
}

void moat_small_settle(moat_heap *heap, struct moat_span *span);

static inline void moat_small_return(moat_heap *heap, struct moat_span *span,
                                     struct moat_free_block *block, size_t unit)
{
    if (MOAT_UNLIKELY(moat_small_is_marked(heap, block)))
        moat_small_check_mark(heap, span, unit);
    if (MOAT_UNLIKELY(moat_small_put(heap, span, block, unit)))
        moat_small_settle(heap, span);
}

#endif
