/*
 * layout.c: the layout of a region (heap.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/layout.h"

#include "heap/region.h"
#include "sys/memory.h"

#define MIN_SHIFT 20u

size_t moat_region_capacity(unsigned shift)
{
    size_t bytes = ((size_t)1 << shift) - 2 * MOAT_REGION_GUARD -
                   sizeof(moat_heap) - MOAT_HEAP_PAGE;

    return bytes / (MOAT_HEAP_PAGE + sizeof(struct moat_span));
}

unsigned moat_region_shift(size_t quota_bytes)
{
    size_t pages = 2 * (quota_bytes >> MOAT_HEAP_PAGE_SHIFT);
    unsigned shift = MIN_SHIFT;

    while (moat_region_capacity(shift) < pages)
        shift++;
    return shift;
}

struct moat_span *moat_region_spans(const moat_heap *heap)
{
    return (struct moat_span *)((uintptr_t)heap + sizeof *heap);
}

uintptr_t moat_region_pages(const moat_heap *heap, size_t capacity)
{
    return ((uintptr_t)(moat_region_spans(heap) + capacity) + MOAT_HEAP_PAGE -
            1) &
           ~(uintptr_t)(MOAT_HEAP_PAGE - 1);
}

bool moat_heap_region_intact(const moat_heap *heap)
{
    size_t capacity =
        moat_region_capacity(moat_hall_of((uintptr_t)heap)->shift);

    return heap->spans == moat_region_spans(heap) &&
           heap->pages == moat_region_pages(heap, capacity) &&
           heap->fresh <= capacity;
}

/* A new mapping is right whatever the guest did: it may have changed the
 * protection of its memory, or unmapped it. */
bool moat_region_renew(const moat_heap *heap, const struct moat_hall *hall)
{
    uintptr_t begin = (uintptr_t)heap - MOAT_REGION_GUARD;
    size_t bytes = (size_t)1 << hall->shift;

    return moat_memory_renew(begin, bytes) &&
           moat_memory_forbid_huge(begin, bytes) == MOAT_OK;
}

void moat_region_drop(struct moat_heap_region *region)
{
    size_t index;
    struct moat_hall *hall = moat_hall_of_region(region, &index);

    if (moat_region_renew(moat_hall_heap(hall, index), hall))
        moat_hall_put_back(hall, region);
}

struct moat_pages moat_region_used(const struct moat_hall *hall,
                                   const struct moat_heap_region *region)
{
    size_t index = (size_t)(region - hall->regions);
    uintptr_t low = moat_region_pages(moat_hall_heap(hall, index),
                                      moat_region_capacity(hall->shift));
    uintptr_t high = low + (region->fresh << MOAT_HEAP_PAGE_SHIFT);

    return (struct moat_pages){low, high};
}
