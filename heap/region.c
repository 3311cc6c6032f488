/*
 * region.c: the addresses of heaps.
 *
 * A region has a power of two of bytes, enough for twice the quota: a quota
 * bounds memory, and addresses must not run out before, because the free ones
 * are scattered. Regions of one size lie side by side in halls, each with twice
 * as many as the one before; so there are few halls, and the one that an
 * address lies in is found by looking at each of them. That takes no lock: a
 * hall is pushed at the front of the list with a release store, and neither
 * changes its bounds nor goes away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/region.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <moat/allocator.h>

#include "heap/heap.h"
#include "sys/memory.h"
#include "sys/refusal.h"
#include "sys/size.h"

#define MIN_SHIFT      20u
#define FIRST_CAPACITY ((size_t)16)
#define MAX_CAPACITY   ((size_t)16384)

/* At both ends of each region, at least. */
#define GUARD_BYTES ((size_t)64 << 10)

/* Pages of a heap that are accessible from the beginning. */
#define FIRST_PAGES ((size_t)64)

struct region {
    atomic_size_t quota_bytes; /* 0: there is no heap        */
    struct region *next;       /* on the list of its hall    */
    struct moat_returned returned;
    /* Of the heap, since it was made or renewed. */
    size_t fresh, opened; /* the most that they were    */
    int foreign;          /* mappings, and the break    */
};

struct hall {
    struct hall *next;
    uintptr_t begin, end;
    unsigned shift;      /* of a region's bytes                     */
    size_t taken;        /* regions 0..taken-1 have been handed out */
    struct region *free; /* those of them that have no heap         */
    struct region regions[];
};

pthread_mutex_t moat_heap_regions_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct hall *) halls;

/* Only ever grows: a filter. */
moat_heap_bounds_t moat_heap_bounds;

/* ---- Looking up ---------------------------------------------------------- */

static struct hall *hall_of(uintptr_t address)
{
    struct hall *hall = atomic_load_explicit(&halls, memory_order_acquire);

    while (hall != NULL && address - hall->begin >= hall->end - hall->begin)
        hall = hall->next;
    return hall;
}

static size_t index_in(const struct hall *hall, uintptr_t address)
{
    return (address - hall->begin) >> hall->shift;
}

static moat_heap *heap_in(const struct hall *hall, size_t index)
{
    return (moat_heap *)(hall->begin + (index << hall->shift) + GUARD_BYTES);
}

static size_t quota_of(const struct region *region)
{
    return atomic_load_explicit(&region->quota_bytes, memory_order_acquire);
}

moat_heap *moat_heap_of(const void *address)
{
    const struct hall *hall = hall_of((uintptr_t)address);
    size_t i = hall != NULL ? index_in(hall, (uintptr_t)address) : 0;
    bool any = hall != NULL && quota_of(&hall->regions[i]) != 0;

    return any ? heap_in(hall, i) : NULL;
}

bool moat_heap_had(const void *address)
{
    return moat_heap_may_own(address) && hall_of((uintptr_t)address) != NULL;
}

static struct region *region_of(const moat_heap *heap)
{
    struct hall *hall = hall_of((uintptr_t)heap);

    return &hall->regions[index_in(hall, (uintptr_t)heap)];
}

struct moat_returned *moat_heap_region_returned(const moat_heap *heap)
{
    return &region_of(heap)->returned;
}

size_t moat_heap_region_quota(const moat_heap *heap)
{
    return quota_of(region_of(heap));
}

void moat_heap_region_reached(const moat_heap *heap, size_t fresh,
                              size_t opened)
{
    struct region *region = region_of(heap);

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

/* Returns how many pages a region has addresses for, with their entries. */
static size_t capacity_of(unsigned shift)
{
    size_t bytes = ((size_t)1 << shift) - 2 * GUARD_BYTES - sizeof(moat_heap) -
                   MOAT_HEAP_PAGE;

    return bytes / (MOAT_HEAP_PAGE + sizeof(struct moat_span));
}

static unsigned shift_for(size_t quota_bytes)
{
    size_t pages = 2 * (quota_bytes >> MOAT_HEAP_PAGE_SHIFT);
    unsigned shift = MIN_SHIFT;

    while (capacity_of(shift) < pages)
        shift++;
    return shift;
}

static struct moat_span *spans_of(const moat_heap *heap)
{
    return (struct moat_span *)((uintptr_t)heap + sizeof *heap);
}

/* Returns the address of page 0. */
static uintptr_t pages_of(const moat_heap *heap, size_t capacity)
{
    return ((uintptr_t)(spans_of(heap) + capacity) + MOAT_HEAP_PAGE - 1) &
           ~(uintptr_t)(MOAT_HEAP_PAGE - 1);
}

bool moat_heap_region_intact(const moat_heap *heap)
{
    size_t capacity = capacity_of(hall_of((uintptr_t)heap)->shift);

    return heap->spans == spans_of(heap) &&
           heap->pages == pages_of(heap, capacity) && heap->fresh <= capacity;
}

/* Fills in an empty heap, of zeros. */
static void fill_in(moat_heap *heap, size_t capacity, size_t quota_bytes)
{
    heap->spans = spans_of(heap);
    heap->pages = pages_of(heap, capacity);
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
    size_t capacity = capacity_of(shift);
    struct region *region = region_of(heap);
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

/* ---- Halls --------------------------------------------------------------- */

static size_t next_capacity(unsigned shift)
{
    const struct hall *hall = atomic_load(&halls);
    size_t capacity;

    while (hall != NULL && hall->shift != shift)
        hall = hall->next;
    capacity =
        hall != NULL ? (hall->end - hall->begin) >> shift << 1 : FIRST_CAPACITY;
    return capacity < MAX_CAPACITY ? capacity : MAX_CAPACITY;
}

/* Huge pages would take memory that no block uses, and that the quota does not
 * count. */
static bool reserve(struct hall *hall, size_t bytes)
{
    hall->begin = moat_memory_reserve(bytes);
    hall->end = hall->begin + bytes;
    if (hall->begin == 0)
        return false;
    if (moat_memory_forbid_huge(hall->begin, bytes) == MOAT_OK)
        return true;
    moat_memory_release(hall->begin, bytes);
    return false;
}

/* Reserves as many regions as there is room for, at least one. */
static struct hall *make_hall(unsigned shift)
{
    for (size_t count = next_capacity(shift); count > 0; count /= 2) {
        struct hall *hall =
            calloc(1, sizeof *hall + count * sizeof hall->regions[0]);

        if (hall == NULL)
            return NULL;
        hall->shift = shift;
        if (reserve(hall, count << shift))
            return hall;
        free(hall);
    }
    return NULL;
}

/* Between the two stores the range is too long, never too short. */
static void widen_bounds(const struct hall *hall)
{
    uintptr_t begin = moat_heap_bounds.begin;
    uintptr_t end = begin + moat_heap_bounds.bytes;

    if (begin == 0 || begin > hall->begin)
        begin = hall->begin;
    if (end < hall->end)
        end = hall->end;
    __atomic_store_n(&moat_heap_bounds.bytes, end - begin, __ATOMIC_RELEASE);
    __atomic_store_n(&moat_heap_bounds.begin, begin, __ATOMIC_RELEASE);
}

static void publish(struct hall *hall)
{
    widen_bounds(hall);
    hall->next = atomic_load_explicit(&halls, memory_order_relaxed);
    atomic_store_explicit(&halls, hall, memory_order_release);
}

/* ---- Taking and returning ------------------------------------------------ */

static bool has_room(const struct hall *hall)
{
    return hall->free != NULL ||
           hall->taken < (hall->end - hall->begin) >> hall->shift;
}

static struct hall *find_room(unsigned shift)
{
    struct hall *hall = atomic_load_explicit(&halls, memory_order_relaxed);

    while (hall != NULL && (hall->shift != shift || !has_room(hall)))
        hall = hall->next;
    return hall;
}

static struct region *take_from(struct hall *hall)
{
    struct region *region = hall->free;

    if (region == NULL)
        return &hall->regions[hall->taken++];
    hall->free = region->next;
    return region;
}

static void put_back(struct hall *hall, struct region *region)
{
    moat_lock(&moat_heap_regions_lock);
    region->next = hall->free;
    hall->free = region;
    moat_unlock(&moat_heap_regions_lock);
}

/* Two threads may both find no room: two halls. The lock allocates nothing. */
static struct region *take_region(unsigned shift, struct hall **out)
{
    struct hall *made = NULL;
    struct region *region;

    moat_lock(&moat_heap_regions_lock);
    *out = find_room(shift);
    if (*out == NULL) {
        moat_unlock(&moat_heap_regions_lock);
        made = make_hall(shift);
        if (made == NULL)
            return NULL;
        moat_lock(&moat_heap_regions_lock);
        publish(made);
        *out = made;
    }
    region = take_from(*out);
    moat_unlock(&moat_heap_regions_lock);
    return region;
}

moat_status moat_heap_region_take(size_t quota_bytes, moat_heap **out)
{
    size_t quota = (quota_bytes + MOAT_HEAP_PAGE - 1) & ~(MOAT_HEAP_PAGE - 1);
    unsigned shift = shift_for(quota);
    struct hall *hall;
    struct region *region = take_region(shift, &hall);
    moat_heap *heap;
    moat_status status;

    if (region == NULL)
        return MOAT_E_NOMEM;
    heap = heap_in(hall, (size_t)(region - hall->regions));
    status = make_heap(heap, shift, quota);
    if (status != MOAT_OK) {
        put_back(hall, region);
        return moat_memory_refusal(status);
    }
    atomic_store_explicit(&region->quota_bytes, quota, memory_order_release);
    *out = heap;
    return MOAT_OK;
}

/* A new mapping is right whatever the guest did: it may have changed the
 * protection of its memory, or unmapped it. */
static bool drop(const moat_heap *heap, const struct hall *hall)
{
    uintptr_t begin = (uintptr_t)heap - GUARD_BYTES;
    size_t bytes = (size_t)1 << hall->shift;

    return moat_memory_renew(begin, bytes) &&
           moat_memory_forbid_huge(begin, bytes) == MOAT_OK;
}

moat_status moat_heap_region_renew(moat_heap *heap)
{
    const struct hall *hall = hall_of((uintptr_t)heap);
    struct region *region = region_of(heap);

    moat_returned_drop(&region->returned);
    if (!drop(heap, hall))
        return moat_refuse_errno("mapping the heap anew");
    return moat_memory_refusal(make_heap(heap, hall->shift, quota_of(region)));
}

/* Also makes accessible again what the guest has protected. */
static bool is_clearable(const moat_heap *heap, const struct region *region,
                         size_t capacity, size_t keep_bytes)
{
    uintptr_t end =
        pages_of(heap, capacity) + (region->opened << MOAT_HEAP_PAGE_SHIFT);

    return region->foreign == 0 && region->fresh <= region->opened &&
           region->opened <= capacity &&
           region->fresh << MOAT_HEAP_PAGE_SHIFT <= keep_bytes &&
           moat_memory_open((uintptr_t)heap, end - (uintptr_t)heap) == MOAT_OK;
}

/* fill_in and the pages that were never used expect zeros. */
bool moat_heap_region_clear(moat_heap *heap, size_t keep_bytes)
{
    size_t capacity = capacity_of(hall_of((uintptr_t)heap)->shift);
    struct region *region = region_of(heap);

    if (!is_clearable(heap, region, capacity, keep_bytes))
        return false;
    moat_returned_drop(&region->returned);
    memset((void *)pages_of(heap, capacity), 0,
           region->fresh << MOAT_HEAP_PAGE_SHIFT);
    memset(spans_of(heap), 0, region->fresh * sizeof(struct moat_span));
    memset(heap, 0, sizeof *heap);
    fill_in(heap, capacity, quota_of(region));
    region->fresh = 0;
    return true;
}

/* Addresses that cannot be cleared are not used again. */
void moat_heap_region_return(moat_heap *heap)
{
    struct hall *hall = hall_of((uintptr_t)heap);
    struct region *region = region_of(heap);

    atomic_store_explicit(&region->quota_bytes, 0, memory_order_release);
    moat_returned_drop(&region->returned);
    if (drop(heap, hall))
        put_back(hall, region);
}

/* ---- The end ------------------------------------------------------------- */

static bool has_heap(const struct hall *hall)
{
    for (size_t i = 0; i < hall->taken; i++) {
        if (quota_of(&hall->regions[i]) != 0)
            return true;
    }
    return false;
}

void moat_heap_regions_release(void)
{
    struct hall *first = atomic_load(&halls);

    for (struct hall *hall = first; hall != NULL; hall = hall->next) {
        if (has_heap(hall))
            return;
    }
    atomic_store(&halls, NULL);
    while (first != NULL) {
        struct hall *next = first->next;

        moat_memory_release(first->begin, first->end - first->begin);
        moat_free_later(first);
        first = next;
    }
}
