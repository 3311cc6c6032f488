/*
 * resize.c: blocks that change their size, and blocks with an alignment.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <string.h>

#include "heap/block.h"
#include "heap/small.h"
#include "heap/span.h"
#include "heap/tail.h"

/* ---- Resizing ------------------------------------------------------------ */

static bool resize_large(moat_heap *heap, struct moat_span *span, size_t bytes)
{
    size_t pages = moat_heap_pages_for(bytes);

    if (bytes <= MOAT_HEAP_MAX_SMALL)
        return false;
    if (pages > span->pages)
        return moat_span_grow(heap, span, pages);
    moat_span_shrink(heap, span, pages);
    return true;
}

/* Takes a block with the contents of one that has `had` bytes, and does not
 * return that. A block that shrinks stays where it is at worst. */
static inline void *copy(moat_heap *heap, void *pointer, size_t had,
                         size_t bytes)
{
    void *block = NULL;

    if (MOAT_LIKELY(bytes <= MOAT_HEAP_MAX_PLAIN))
        block = moat_small_take(heap, moat_heap_plain_class_of(bytes));
    if (MOAT_UNLIKELY(block == NULL))
        block = moat_heap_alloc(heap, bytes);
    if (MOAT_UNLIKELY(block == NULL))
        return bytes <= had ? pointer : NULL;
    return memcpy(block, pointer, had < bytes ? had : bytes);
}

/* A small block stays where it is unless it would waste half of its room. */
static void *move_small(moat_heap *heap, struct moat_span *span, void *pointer,
                        size_t unit, size_t bytes)
{
    size_t had = span->units * MOAT_HEAP_UNIT;
    void *block;

    if (MOAT_UNLIKELY(moat_small_is_marked(heap, pointer)))
        moat_small_check_mark(heap, span, unit);
    if (bytes <= had && bytes >= had / 2)
        return pointer;
    block = copy(heap, pointer, had, bytes);
    if (block != NULL && block != pointer &&
        moat_small_put(heap, span, pointer, unit))
        moat_small_settle(heap, span);
    return block;
}

static void *move_tailed(moat_heap *heap, struct moat_place place,
                         void *pointer, size_t bytes)
{
    struct moat_span *span = place.span;
    size_t unit = moat_small_unit(heap, place);
    size_t has = span->units * MOAT_HEAP_UNIT, could;
    void *block;

    if (MOAT_UNLIKELY(moat_small_is_marked(heap, pointer)))
        moat_small_check_mark(heap, span, unit);
    could = moat_tail_check(heap, pointer, has);
    block = move_small(heap, span, pointer, unit, bytes);
    if (block == pointer)
        moat_tail_move(heap, pointer, has, could, bytes);
    return block;
}

static void *move_large(moat_heap *heap, void *pointer, size_t bytes)
{
    struct moat_span *span = moat_large_span(heap, pointer);
    void *block;

    if (resize_large(heap, span, bytes))
        return pointer;
    block =
        copy(heap, pointer, (size_t)span->pages << MOAT_HEAP_PAGE_SHIFT, bytes);
    if (block != NULL && block != pointer)
        moat_span_return(heap, span);
    return block;
}

void *moat_heap_realloc(moat_heap *heap, void *pointer, size_t bytes)
{
    struct moat_place place;

    if (pointer == NULL)
        return moat_heap_alloc(heap, bytes);
    if (MOAT_UNLIKELY(!moat_small_may_own(heap, pointer)))
        moat_heap_misused(heap, MOAT_MISUSE_NOT_A_BLOCK);
    place = moat_small_place(heap, pointer);
    if (MOAT_LIKELY(place.span->kind == MOAT_SPAN_SMALL))
        return move_small(heap, place.span, pointer,
                          moat_small_unit(heap, place), bytes);
    return place.span->kind == MOAT_SPAN_TAILED
               ? move_tailed(heap, place, pointer, bytes)
               : move_large(heap, pointer, bytes);
}

/* ---- Alignment ----------------------------------------------------------- */

/* Blocks whose size is a multiple of the alignment are aligned, as their spans
 * begin at a page. */
static void *take_aligned_small(moat_heap *heap, size_t alignment, size_t bytes)
{
    size_t units = alignment / MOAT_HEAP_UNIT;
    unsigned size_class =
        moat_heap_class_of(bytes > alignment ? bytes : alignment);

    while (moat_heap_class_units(size_class) % units != 0)
        size_class++;
    return moat_heap_alloc(heap,
                           moat_heap_class_units(size_class) * MOAT_HEAP_UNIT);
}

/* Takes enough for any position and returns what is before and after. */
static void *take_aligned_large(moat_heap *heap, size_t alignment, size_t bytes)
{
    size_t extra = moat_heap_pages_for(alignment) - 1,
           pages = moat_heap_pages_for(bytes);
    struct moat_span *span;
    uintptr_t begin;
    bool zero;

    if (bytes > MOAT_HEAP_MAX_BYTES || alignment > MOAT_HEAP_MAX_BYTES)
        return NULL;
    span = moat_large_take(heap, pages + extra, &zero);
    if (span == NULL)
        return NULL;
    begin = moat_span_begin(heap, span);
    extra = (-begin & (alignment - 1)) >> MOAT_HEAP_PAGE_SHIFT;
    if (extra != 0)
        span = moat_span_behead(heap, span, extra);
    moat_span_shrink(heap, span, pages);
    return (void *)moat_span_begin(heap, span);
}

void *moat_heap_alloc_aligned(moat_heap *heap, size_t alignment, size_t bytes)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return NULL;
    if (alignment <= MOAT_HEAP_UNIT)
        return moat_heap_alloc(heap, bytes);
    if (alignment <= MOAT_HEAP_PAGE && bytes <= MOAT_HEAP_MAX_SMALL)
        return take_aligned_small(heap, alignment, bytes);
    /* A large block's span must be longer than a small block can be. */
    if (bytes <= MOAT_HEAP_MAX_SMALL)
        bytes = MOAT_HEAP_MAX_SMALL + 1;
    return take_aligned_large(heap, alignment, bytes);
}
