/*
 * mapping.c: pages for mmap(2).
 *
 * A mapping is a span in the heap's own addresses. So it is dropped with the
 * region, whatever the guest has mapped over it, and needs no list outside. The
 * mappings are on a list of their own, as an address in the middle of a span
 * does not lead to its beginning.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <moat/allocator.h>

#include "heap/block.h"
#include "heap/region.h"
#include "heap/span.h"
#include "sys/memory.h"
#include "sys/page.h"
#include "sys/pages.h"
#include "sys/size.h"

static uintptr_t address_of(const moat_heap *heap, size_t page)
{
    return heap->pages + (page << MOAT_HEAP_PAGE_SHIFT);
}

/* ---- The list ------------------------------------------------------------ */

static void link_in(moat_heap *heap, struct moat_span *span)
{
    uint32_t number = (uint32_t)moat_heap_page_of(heap, span) + 1;

    span->prev = 0;
    span->next = heap->mapped;
    if (span->next != 0)
        heap->spans[span->next - 1].prev = number;
    heap->mapped = number;
}

static void link_out(moat_heap *heap, const struct moat_span *span)
{
    if (span->next != 0)
        heap->spans[span->next - 1].prev = span->prev;
    if (span->prev != 0)
        heap->spans[span->prev - 1].next = span->next;
    else
        heap->mapped = span->next;
}

static void mark(moat_heap *heap, struct moat_span *span, bool special)
{
    span->kind = span[span->pages - 1].kind = MOAT_SPAN_MAPPED;
    span->size_class = special;
    link_in(heap, span);
}

/* Returns a mapping that has some of the pages, or NULL. */
static struct moat_span *touched_by(const moat_heap *heap, size_t page,
                                    size_t pages)
{
    for (uint32_t number = heap->mapped; number != 0;
         number = heap->spans[number - 1].next) {
        struct moat_span *span = &heap->spans[number - 1];

        if (number - 1 < page + pages && page < number - 1 + span->pages)
            return span;
    }
    return NULL;
}

/* Brings a range down to the heap's own pages; false: it has none. */
static bool clip(const moat_heap *heap, uintptr_t address, size_t bytes,
                 size_t *page, size_t *pages)
{
    uintptr_t first = heap->pages, end = address_of(heap, heap->fresh), last;

    if (!moat_size_add(address, bytes, &last) || last > end)
        last = end;
    if (address < first)
        address = first;
    if (address >= last)
        return false;
    *page = (address - first) >> MOAT_HEAP_PAGE_SHIFT;
    *pages = moat_heap_pages_for(last - address_of(heap, *page));
    return true;
}

/* ---- Taking -------------------------------------------------------------- */

/* Takes pages that begin and end where the system's do. */
static struct moat_span *take(moat_heap *heap, size_t pages, bool *zero)
{
    size_t extra = moat_page_bytes() / MOAT_HEAP_PAGE - 1;
    struct moat_span *span = moat_large_take(heap, pages + extra, zero);
    size_t before;

    if (span == NULL || extra == 0)
        return span;
    before = (-moat_span_begin(heap, span) & (moat_page_bytes() - 1)) >>
             MOAT_HEAP_PAGE_SHIFT;
    if (before != 0)
        span = moat_span_behead(heap, span, before);
    moat_span_shrink(heap, span, pages);
    return span;
}

static void clear(uintptr_t begin, size_t bytes)
{
    if (moat_pages_drop_range(begin, begin + bytes) != MOAT_OK)
        memset((void *)begin, 0, bytes);
}

static size_t whole_pages(size_t bytes)
{
    return moat_size_to_pages(bytes, &bytes) ? bytes >> MOAT_HEAP_PAGE_SHIFT
                                             : 0;
}

void *moat_heap_map(moat_heap *heap, size_t bytes)
{
    size_t pages = whole_pages(bytes);
    struct moat_span *span;
    bool zero;

    if (pages == 0 || bytes > MOAT_HEAP_MAX_BYTES)
        return NULL;
    span = take(heap, pages, &zero);
    if (span == NULL)
        return NULL;
    moat_heap_region_foreign(heap, 1);
    mark(heap, span, false);
    if (!zero)
        clear(moat_span_begin(heap, span), pages << MOAT_HEAP_PAGE_SHIFT);
    return (void *)moat_span_begin(heap, span);
}

/* ---- Returning ----------------------------------------------------------- */

/* Puts fresh memory where the guest may have mapped a file or changed the
 * protection, of the same kind as the heap's: the kernel then joins them. */
static bool renew(const moat_heap *heap, size_t page, size_t pages)
{
    uintptr_t begin = address_of(heap, page);
    size_t bytes = pages << MOAT_HEAP_PAGE_SHIFT;

    return moat_memory_renew(begin, bytes) &&
           moat_memory_forbid_huge(begin, bytes) == MOAT_OK &&
           moat_memory_open(begin, bytes) == MOAT_OK;
}

/* Returns the pages of one mapping. */
static bool unmap_from(moat_heap *heap, struct moat_span *span, size_t page,
                       size_t pages)
{
    size_t begin = moat_heap_page_of(heap, span), end = begin + span->pages;
    bool special = span->size_class != 0;
    int pieces;

    if (page < begin) {
        pages -= begin - page;
        page = begin;
    }
    if (pages > end - page)
        pages = end - page;
    if (!renew(heap, page, pages))
        return false;
    pieces = (page > begin) + (page + pages < end);
    moat_heap_region_foreign(heap, pieces);
    link_out(heap, span);
    moat_span_return_part(heap, span, page, pages);
    if (page > begin)
        mark(heap, span, special);
    if (page + pages < end)
        mark(heap, &heap->spans[page + pages], special);
    moat_heap_region_foreign(heap, -1);
    return true;
}

bool moat_heap_unmap(moat_heap *heap, void *address, size_t bytes)
{
    struct moat_span *span;
    size_t page, pages;

    bytes = whole_pages(bytes) << MOAT_HEAP_PAGE_SHIFT;
    if (!clip(heap, (uintptr_t)address, bytes, &page, &pages))
        return true;
    while ((span = touched_by(heap, page, pages)) != NULL) {
        if (!unmap_from(heap, span, page, pages))
            return false;
    }
    return true;
}

/* ---- Mapping over and resizing ------------------------------------------- */

/* Returns the mapping in which the whole range lies, or NULL. */
static struct moat_span *around(const moat_heap *heap, const void *address,
                                size_t bytes)
{
    struct moat_span *span;
    size_t page, pages, all;
    uintptr_t at;

    if (!clip(heap, (uintptr_t)address, bytes, &page, &pages) ||
        (span = touched_by(heap, page, pages)) == NULL)
        return NULL;
    at = (uintptr_t)address - moat_span_begin(heap, span);
    all = (size_t)span->pages << MOAT_HEAP_PAGE_SHIFT;
    return at < all && bytes <= all - at ? span : NULL;
}

bool moat_heap_map_over(moat_heap *heap, const void *address, size_t bytes)
{
    struct moat_span *span = around(heap, address, bytes);

    if (span == NULL)
        return false;
    span->size_class = true;
    return true;
}

/* What was free may hold old contents; memory that other memory was mapped
 * before stays as it is. */
static bool grow(moat_heap *heap, struct moat_span *span, size_t pages)
{
    size_t had = span->pages;
    bool special = span->size_class != 0;

    if (special || !moat_span_grow(heap, span, pages))
        return false;
    link_out(heap, span);
    mark(heap, span, special);
    clear(address_of(heap, moat_heap_page_of(heap, span) + had),
          (pages - had) << MOAT_HEAP_PAGE_SHIFT);
    return true;
}

static void *move(moat_heap *heap, void *address, size_t had, size_t bytes)
{
    void *moved = moat_heap_map(heap, bytes);

    if (moved == NULL)
        return NULL;
    memcpy(moved, address, had < bytes ? had : bytes);
    (void)moat_heap_unmap(heap, address, had);
    return moved;
}

void *moat_heap_remap(moat_heap *heap, void *address, size_t had, size_t bytes,
                      bool may_move)
{
    struct moat_span *span;
    size_t before, pages;

    had = whole_pages(had) << MOAT_HEAP_PAGE_SHIFT;
    pages = whole_pages(bytes);
    span = had != 0 && pages != 0 ? around(heap, address, had) : NULL;
    if (span == NULL)
        return NULL;
    bytes = pages << MOAT_HEAP_PAGE_SHIFT;
    if (bytes <= had)
        return moat_heap_unmap(heap, (char *)address + bytes, had - bytes)
                   ? address
                   : NULL;
    before = ((uintptr_t)address - moat_span_begin(heap, span)) >>
             MOAT_HEAP_PAGE_SHIFT;
    if (before + (had >> MOAT_HEAP_PAGE_SHIFT) == span->pages &&
        grow(heap, span, before + pages))
        return address;
    return may_move && span->size_class == 0 ? move(heap, address, had, bytes)
                                             : NULL;
}
