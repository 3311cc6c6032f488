/*
 * region.c: the regions of heaps: their layout, and what is known of each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/region.h"

#include <stdlib.h>
#include <string.h>

#include <moat/allocator.h>

#include "heap/hall.h"
#include "heap/heap.h"
#include "heap/kept.h"
#include "heap/layout.h"
#include "sys/memory.h"
#include "sys/refusal.h"
#include "sys/size.h"

/* Pages of a heap that are accessible from the beginning. */
#define FIRST_PAGES ((size_t)64)

/* ---- What is known of a region ------------------------------------------- */

static struct moat_heap_region *region_of(const moat_heap *heap)
{
    struct moat_hall *hall = moat_hall_of((uintptr_t)heap);

    return &hall->regions[moat_hall_index(hall, (uintptr_t)heap)];
}

struct moat_returned *moat_heap_region_returned(const moat_heap *heap)
{
    return &region_of(heap)->returned;
}

size_t moat_heap_region_quota(const moat_heap *heap)
{
    return moat_region_quota(region_of(heap));
}

void moat_heap_region_reached(const moat_heap *heap, size_t fresh,
                              size_t opened)
{
    struct moat_heap_region *region = region_of(heap);

    if (region->fresh < fresh)
        region->fresh = fresh;
    if (region->opened < opened)
        region->opened = opened;
}

void moat_heap_region_foreign(const moat_heap *heap, int change)
{
    region_of(heap)->foreign += change;
}

bool moat_heap_region_valid(const moat_heap *heap)
{
    return heap != NULL && moat_heap_of(heap) == heap;
}

/* ---- The layout of a region ---------------------------------------------- */

/* Fills in an empty heap, of zeros. */
static void fill_in(moat_heap *heap, size_t capacity, size_t quota_bytes)
{
    heap->spans = moat_region_spans(heap);
    heap->pages = moat_region_pages(heap, capacity);
    heap->capacity = capacity;
    heap->opened = region_of(heap)->opened;
    heap->quota = quota_bytes >> MOAT_HEAP_PAGE_SHIFT;
    heap->mark = (uintptr_t)heap * 0x9e3779b97f4a7c15u | 1;
    for (unsigned i = 0; i < MOAT_HEAP_CLASSES; i++)
        heap->current[i] = &heap->none;
}

/* The entries' pages are made accessible, too, and take memory as they are
 * touched. */
static moat_status make_heap(moat_heap *heap, unsigned shift,
                             size_t quota_bytes)
{
    size_t capacity = moat_region_capacity(shift);
    struct moat_heap_region *region = region_of(heap);
    size_t bytes = sizeof *heap + capacity * sizeof(struct moat_span) +
                   (FIRST_PAGES + 1) * MOAT_HEAP_PAGE;
    moat_status status;

    region->fresh = 0;
    region->opened = capacity < FIRST_PAGES ? capacity : FIRST_PAGES;
    region->foreign = 0;
    (void)moat_size_to_pages(bytes, &bytes);
    if ((status = moat_memory_open((uintptr_t)heap, bytes)) == MOAT_OK)
        fill_in(heap, capacity, quota_bytes);
    return status;
}

/* ---- Taking and returning ------------------------------------------------ */

moat_status moat_heap_region_take(size_t quota_bytes, moat_heap **out)
{
    size_t quota = (quota_bytes + MOAT_HEAP_PAGE - 1) & ~(MOAT_HEAP_PAGE - 1);
    unsigned shift = moat_region_shift(quota);
    struct moat_hall *hall;
    struct moat_heap_region *region = moat_hall_take(shift, &hall);
    moat_heap *heap;
    moat_status status;

    if (region == NULL)
        return MOAT_E_NOMEM;
    heap = moat_hall_heap(hall, (size_t)(region - hall->regions));
    status = make_heap(heap, shift, quota);
    if (status != MOAT_OK) {
        moat_hall_put_back(hall, region);
        return moat_memory_refusal(status);
    }
    atomic_store_explicit(&region->quota_bytes, quota, memory_order_release);
    *out = heap;
    return MOAT_OK;
}

moat_status moat_heap_region_renew(moat_heap *heap)
{
    const struct moat_hall *hall = moat_hall_of((uintptr_t)heap);
    struct moat_heap_region *region = region_of(heap);

    moat_returned_drop(&region->returned);
    if (!moat_region_renew(heap, hall))
        return moat_refuse_errno("mapping the heap anew");
    return moat_memory_refusal(
        make_heap(heap, hall->shift, moat_region_quota(region)));
}

/* Also makes accessible again what the guest has protected. */
static bool is_clearable(const moat_heap *heap,
                         const struct moat_heap_region *region, size_t capacity,
                         size_t keep_bytes)
{
    uintptr_t end = moat_region_pages(heap, capacity) +
                    (region->opened << MOAT_HEAP_PAGE_SHIFT);

    return region->foreign == 0 && region->fresh <= region->opened &&
           region->opened <= capacity &&
           region->fresh << MOAT_HEAP_PAGE_SHIFT <= keep_bytes &&
           moat_memory_open((uintptr_t)heap, end - (uintptr_t)heap) == MOAT_OK;
}

/* fill_in and the pages that were never used expect zeros. */
bool moat_heap_region_clear(moat_heap *heap, size_t keep_bytes)
{
    size_t capacity =
        moat_region_capacity(moat_hall_of((uintptr_t)heap)->shift);
    struct moat_heap_region *region = region_of(heap);

    if (!is_clearable(heap, region, capacity, keep_bytes))
        return false;
    moat_returned_drop(&region->returned);
    memset((void *)moat_region_pages(heap, capacity), 0,
           region->fresh << MOAT_HEAP_PAGE_SHIFT);
    memset(moat_region_spans(heap), 0,
           region->fresh * sizeof(struct moat_span));
    memset(heap, 0, sizeof *heap);
    fill_in(heap, capacity, moat_region_quota(region));
    region->fresh = 0;
    return true;
}

bool moat_heap_region_is_kept(const moat_heap *heap)
{
    return region_of(heap)->fresh != 0 && moat_kept_is_on();
}

void moat_heap_region_return(moat_heap *heap)
{
    struct moat_heap_region *region = region_of(heap);
    bool keep = moat_heap_region_is_kept(heap);

    if (keep)
        atomic_store(&region->kept, true);
    atomic_store_explicit(&region->quota_bytes, 0, memory_order_release);
    moat_returned_drop(&region->returned);
    if (keep)
        moat_kept_add(region);
    else
        moat_region_drop(region);
}

void moat_heap_regions_release(void)
{
    if (moat_kept_look() == 0)
        moat_halls_release();
}
