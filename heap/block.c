/*
 * block.c: blocks, as malloc(3) hands them out. The frequent part of small ones
 * is in small.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/block.h"

#include <string.h>

#include <moat/allocator.h>

#include "heap/region.h"
#include "heap/small.h"
#include "heap/span.h"
#include "heap/tail.h"

/* Spans of small blocks are up to so many pages long. */
#define MAX_SPAN_PAGES 16u

/* Blocks that are made at once: as many as fill a page, at least one. */
#define CUT_UNITS (MOAT_HEAP_PAGE / MOAT_HEAP_UNIT)

static size_t units_in(const struct moat_span *span)
{
    return span->pages * (MOAT_HEAP_PAGE / MOAT_HEAP_UNIT);
}

/* ---- Partial spans ------------------------------------------------------- */

static void put_partial(moat_heap *heap, struct moat_span *span)
{
    uint32_t *first = &heap->partial[span->size_class];
    uint32_t number = (uint32_t)moat_heap_page_of(heap, span) + 1;

    span->keep = MOAT_SPAN_KEEP_PARTIAL;
    span->prev = 0;
    span->next = *first;
    if (span->next != 0)
        heap->spans[span->next - 1].prev = number;
    *first = number;
}

static void take_partial(moat_heap *heap, struct moat_span *span)
{
    if (span->next != 0)
        heap->spans[span->next - 1].prev = span->prev;
    if (span->prev != 0)
        heap->spans[span->prev - 1].next = span->next;
    else
        heap->partial[span->size_class] = span->next;
}

/* ---- New spans ----------------------------------------------------------- */

/* Returns whether the blocks of a class leave at most an eighth of so many
 * pages unused. */
static bool fits_well(size_t units, size_t pages)
{
    size_t all = pages * (MOAT_HEAP_PAGE / MOAT_HEAP_UNIT);

    return all >= units && all % units <= all / 8;
}

static size_t fewest_pages(unsigned size_class)
{
    size_t pages = 1;

    while (!fits_well(moat_heap_class_units(size_class), pages))
        pages++;
    return pages;
}

/* The first span of a class is short, as a small guest needs few blocks of many
 * classes; each further one is twice as long, unless the quota forbids it. */
static struct moat_span *take_pages(moat_heap *heap, unsigned size_class)
{
    size_t fewest = fewest_pages(size_class);
    size_t pages = fewest << heap->growth[size_class];
    struct moat_span *span;
    bool zero;

    if (pages * 2 <= MAX_SPAN_PAGES)
        heap->growth[size_class]++;
    span = moat_span_take(heap, pages, &zero);
    while (span == NULL && pages > fewest) {
        pages /= 2;
        span = moat_span_take(heap, pages, &zero);
    }
    return span;
}

static void lead_back(struct moat_span *span)
{
    for (uint32_t i = 1; i < span->pages; i++) {
        span[i].kind = MOAT_SPAN_REST;
        span[i].back = i;
    }
}

static struct moat_span *make_small(moat_heap *heap, unsigned size_class)
{
    unsigned units = moat_heap_class_units(size_class);
    uint64_t bytes = units * MOAT_HEAP_UNIT;
    struct moat_span *span = take_pages(heap, size_class);

    if (span == NULL)
        return NULL;
    span->kind =
        size_class < MOAT_HEAP_PLAIN ? MOAT_SPAN_SMALL : MOAT_SPAN_TAILED;
    span->size_class = (uint8_t)size_class;
    span->units = (uint16_t)units;
    span->reciprocal = (uint32_t)((((uint64_t)1 << 32) + bytes - 1) / bytes);
    span->free = span->cut = 0;
    span->used = 0;
    lead_back(span);
    return span;
}

/* ---- Blocks that came back from outside -----------------------------------
 */

static bool is_free(moat_heap *heap, const struct moat_span *span, size_t unit);

/* Returns whether a returned pointer is a block in use. Any other pointer is
 * the mistake of the caller that returned it, and is ignored. */
static bool is_in_use(moat_heap *heap, const void *pointer)
{
    const struct moat_span *span;
    uintptr_t offset = (uintptr_t)pointer - heap->pages;

    if (moat_heap_find_block(heap, pointer) == 0)
        return false;
    span = &heap->spans[offset >> MOAT_HEAP_PAGE_SHIFT];
    if (span->kind == MOAT_SPAN_LARGE || !moat_small_is_marked(heap, pointer))
        return true;
    span -= span->back;
    offset = (uintptr_t)pointer - moat_span_begin(heap, span);
    return !is_free(heap, span, offset / MOAT_HEAP_UNIT);
}

static void take_back(moat_heap *heap)
{
    struct moat_returned *returned = moat_heap_region_returned(heap);
    struct moat_return *each;

    if (MOAT_LIKELY(!moat_returned_any(returned)))
        return;
    for (each = moat_returned_begin(returned); each != NULL;
         each = each->next) {
        void *pointer = each->block;

        each->block = NULL;
        if (pointer != NULL && is_in_use(heap, pointer))
            moat_heap_free(heap, pointer);
    }
    moat_returned_end(returned);
}

/* ---- Taking a small block ------------------------------------------------ */

/* Cuts blocks from what was not used of the span yet, and returns whether there
 * are any. A page at a time: what is not needed is not touched. */
static bool cut_blocks(moat_heap *heap, struct moat_span *span)
{
    size_t units = span->units, unit = span->cut;
    size_t end = unit + (CUT_UNITS > units ? CUT_UNITS : units);

    if (end > units_in(span))
        end = units_in(span);
    if (unit + units > end)
        return false;
    span->free = (uint16_t)(unit + 1);
    for (; unit + units <= end; unit += units) {
        uint64_t next = unit + 2 * units <= end ? unit + units + 1 : 0;

        moat_small_link(heap, moat_small_at(heap, span, unit), next);
    }
    span->cut = (uint16_t)unit;
    return true;
}

/* Makes a span with free blocks the current one of its class, or returns NULL:
 * the quota does not allow more. */
static struct moat_span *next_span(moat_heap *heap, unsigned size_class)
{
    uint32_t number = heap->partial[size_class];
    struct moat_span *span;

    if (number != 0) {
        span = &heap->spans[number - 1];
        take_partial(heap, span);
    } else {
        span = make_small(heap, size_class);
        if (span == NULL)
            return NULL;
    }
    span->keep = MOAT_SPAN_KEEP_CURRENT;
    heap->current[size_class] = span;
    return span;
}

/* Returns the current span of the class with a free block, or NULL. */
static struct moat_span *refill(moat_heap *heap, unsigned size_class)
{
    struct moat_span *span = heap->current[size_class];

    if (span != &heap->none) {
        if (cut_blocks(heap, span))
            return span;
        span->keep = MOAT_SPAN_KEEP_FULL;
        heap->current[size_class] = &heap->none;
    }
    take_back(heap);
    span = next_span(heap, size_class);
    if (span != NULL && span->free == 0 && !cut_blocks(heap, span))
        moat_heap_misused(heap, MOAT_MISUSE_USED_FREED);
    return span;
}

static void *take_small(moat_heap *heap, unsigned size_class)
{
    void *block = moat_small_take(heap, size_class);

    if (MOAT_LIKELY(block != NULL))
        return block;
    return refill(heap, size_class) != NULL ? moat_small_take(heap, size_class)
                                            : NULL;
}

/* ---- Returning a small block --------------------------------------------- */

static void return_small_span(moat_heap *heap, struct moat_span *span)
{
    span->keep = MOAT_SPAN_KEEP_PARTIAL;
    moat_span_return(heap, span);
}

/* A span that is all free goes back, unless it is the only one of its class
 * with free blocks except the current one. */
void moat_small_settle(moat_heap *heap, struct moat_span *span)
{
    if (span->keep == MOAT_SPAN_KEEP_FULL)
        put_partial(heap, span);
    if (span->used != 0 || (span->next == 0 && span->prev == 0))
        return;
    take_partial(heap, span);
    return_small_span(heap, span);
}

/* Looks for the block among the free ones. */
static bool is_free(moat_heap *heap, const struct moat_span *span, size_t unit)
{
    size_t number = span->free;

    for (size_t i = 0; i < units_in(span) && number != 0; i++) {
        if (number == unit + 1)
            return true;
        if (number > span->cut)
            moat_heap_misused(heap, MOAT_MISUSE_USED_FREED);
        number = moat_small_at(heap, span, number - 1)->next;
    }
    return false;
}

void moat_small_check_mark(moat_heap *heap, const struct moat_span *span,
                           size_t unit)
{
    if (is_free(heap, span, unit))
        moat_heap_misused(heap, MOAT_MISUSE_FREED_TWICE);
}

/* Returns the place of what should be a block. */
static struct moat_place place_of(moat_heap *heap, const void *pointer)
{
    if (MOAT_UNLIKELY(!moat_small_may_own(heap, pointer)))
        moat_heap_misused(heap, MOAT_MISUSE_NOT_A_BLOCK);
    return moat_small_place(heap, pointer);
}

/* ---- Large blocks -------------------------------------------------------- */

/* Empty spans of small blocks, one per class at most, stand in the way of a
 * quota that would do without them. */
static bool return_empty_spans(moat_heap *heap)
{
    bool any = false;

    for (unsigned i = 0; i < MOAT_HEAP_CLASSES; i++) {
        struct moat_span *span = heap->current[i];

        if (span != &heap->none && span->used == 0) {
            heap->current[i] = &heap->none;
            return_small_span(heap, span);
            any = true;
        }
        if (heap->partial[i] == 0)
            continue;
        span = &heap->spans[heap->partial[i] - 1];
        if (span->used == 0) {
            take_partial(heap, span);
            return_small_span(heap, span);
            any = true;
        }
    }
    return any;
}

struct moat_span *moat_large_take(moat_heap *heap, size_t pages, bool *zero)
{
    struct moat_span *span;

    take_back(heap);
    span = moat_span_take(heap, pages, zero);
    if (span == NULL && return_empty_spans(heap))
        span = moat_span_take(heap, pages, zero);
    return span;
}

struct moat_span *moat_large_span(moat_heap *heap, const void *pointer)
{
    size_t page = ((uintptr_t)pointer - heap->pages) >> MOAT_HEAP_PAGE_SHIFT;
    struct moat_span *span = &heap->spans[page];

    /* The last page's entry is of that kind as well. */
    if (span->kind != MOAT_SPAN_LARGE || span->back != 0 ||
        (uintptr_t)pointer != moat_span_begin(heap, span))
        moat_heap_misused(heap, MOAT_MISUSE_NOT_A_BLOCK);
    return span;
}

/* ---- The public functions ------------------------------------------------ */

static void *take_any_small(moat_heap *heap, size_t bytes)
{
    unsigned size_class = moat_heap_class_of(bytes);
    void *block = take_small(heap, size_class);

    if (MOAT_UNLIKELY(block == NULL) && return_empty_spans(heap))
        block = take_small(heap, size_class);
    if (bytes > MOAT_HEAP_MAX_PLAIN && block != NULL)
        moat_tail_make(heap, block,
                       moat_heap_class_units(size_class) * MOAT_HEAP_UNIT,
                       bytes);
    return block;
}

static void *take(moat_heap *heap, size_t bytes, bool *zero)
{
    struct moat_span *span;

    *zero = false;
    if (MOAT_LIKELY(bytes <= MOAT_HEAP_MAX_SMALL))
        return take_any_small(heap, bytes);
    span = moat_large_take(heap, moat_heap_pages_for(bytes), zero);
    return span != NULL ? (void *)moat_span_begin(heap, span) : NULL;
}

void *moat_heap_alloc(moat_heap *heap, size_t bytes)
{
    bool zero;

    return take(heap, bytes, &zero);
}

void *moat_heap_alloc_zeroed(moat_heap *heap, size_t bytes)
{
    bool zero;
    void *block = take(heap, bytes, &zero);

    if (block != NULL && !zero)
        memset(block, 0, bytes);
    return block;
}

static void return_tailed(moat_heap *heap, struct moat_place place,
                          void *pointer)
{
    struct moat_span *span = place.span;
    size_t unit = moat_small_unit(heap, place);

    if (MOAT_UNLIKELY(moat_small_is_marked(heap, pointer)))
        moat_small_check_mark(heap, span, unit);
    (void)moat_tail_check(heap, pointer, span->units * MOAT_HEAP_UNIT);
    moat_small_return(heap, span, pointer, unit);
}

void moat_heap_free(moat_heap *heap, void *pointer)
{
    struct moat_place place;

    if (pointer == NULL)
        return;
    place = place_of(heap, pointer);
    if (MOAT_LIKELY(place.span->kind == MOAT_SPAN_SMALL))
        moat_small_return(heap, place.span, pointer,
                          moat_small_unit(heap, place));
    else if (place.span->kind == MOAT_SPAN_TAILED)
        return_tailed(heap, place, pointer);
    else
        moat_span_return(heap, moat_large_span(heap, pointer));
}

size_t moat_heap_block_bytes(moat_heap *heap, const void *pointer)
{
    struct moat_place place = place_of(heap, pointer);
    const struct moat_span *span = place.span;
    size_t bytes = span->units * MOAT_HEAP_UNIT;

    if (span->kind == MOAT_SPAN_SMALL || span->kind == MOAT_SPAN_TAILED)
        (void)moat_small_unit(heap, place);
    if (span->kind == MOAT_SPAN_SMALL)
        return bytes;
    if (span->kind == MOAT_SPAN_TAILED)
        return moat_tail_read(heap, pointer, bytes);
    return (size_t)moat_large_span(heap, pointer)->pages
           << MOAT_HEAP_PAGE_SHIFT;
}
