/*
 * break.c: a break of the heap's own, for sbrk(2): an area at the end of the
 * heap's addresses that grows upwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/allocator.h>

#include "heap/block.h"
#include "heap/region.h"
#include "heap/span.h"
#include "sys/memory.h"
#include "sys/pages.h"
#include "sys/size.h"

/* Addresses are twice the quota, so that spans still have more than that. */
static bool set_aside(moat_heap *heap)
{
    size_t pages = heap->capacity / 4;
    uintptr_t begin;

    if (heap->opened > heap->capacity - pages)
        return false;
    moat_heap_region_foreign(heap, 1);
    begin = heap->pages + ((heap->capacity - pages) << MOAT_HEAP_PAGE_SHIFT);
    heap->capacity -= pages;
    heap->break_begin = moat_page_of(begin + moat_page_bytes() - 1);
    heap->break_room =
        pages - ((heap->break_begin - begin) >> MOAT_HEAP_PAGE_SHIFT);
    return true;
}

static uintptr_t address_of(const moat_heap *heap, size_t page)
{
    return heap->break_begin + (page << MOAT_HEAP_PAGE_SHIFT);
}

static bool grow(moat_heap *heap, size_t pages)
{
    size_t more = pages - heap->break_pages, unopened = 0;

    if (!moat_span_charge(heap, more))
        return false;
    if (pages > heap->break_opened)
        unopened = pages - heap->break_opened;
    if (unopened != 0 &&
        moat_memory_open(address_of(heap, heap->break_opened),
                         unopened << MOAT_HEAP_PAGE_SHIFT) != MOAT_OK) {
        moat_span_discharge(heap, more);
        return false;
    }
    heap->break_opened += unopened;
    heap->break_pages = pages;
    return true;
}

/* Pages whose memory cannot be dropped stay counted. */
static void shrink(moat_heap *heap, size_t pages)
{
    if (pages == heap->break_pages ||
        moat_pages_drop_range(address_of(heap, pages),
                              address_of(heap, heap->break_pages)) != MOAT_OK)
        return;
    moat_span_discharge(heap, heap->break_pages - pages);
    heap->break_pages = pages;
}

static size_t pages_for(size_t bytes)
{
    (void)moat_size_to_pages(bytes, &bytes);
    return bytes >> MOAT_HEAP_PAGE_SHIFT;
}

void *moat_heap_break(moat_heap *heap, ptrdiff_t increment)
{
    size_t had = heap->break_bytes, room, bytes = had + (size_t)increment;

    if (heap->break_begin == 0 && !set_aside(heap))
        return NULL;
    room = heap->break_room << MOAT_HEAP_PAGE_SHIFT;
    if (increment < 0 ? bytes > had : (size_t)increment > room - had)
        return NULL;
    if (pages_for(bytes) > heap->break_pages) {
        if (!grow(heap, pages_for(bytes)))
            return NULL;
    } else {
        shrink(heap, pages_for(bytes));
    }
    heap->break_bytes = bytes;
    return (void *)(heap->break_begin + had);
}
