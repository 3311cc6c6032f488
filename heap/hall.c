/*
 * hall.c: the addresses of heaps.
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
#include "heap/hall.h"

#include <stdlib.h>

#include <moat/allocator.h>

#include "sys/lock.h"

#define FIRST_CAPACITY ((size_t)16)
#define MAX_CAPACITY   ((size_t)16384)

pthread_mutex_t moat_heap_regions_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct moat_hall *) halls;

/* Only ever grows: a filter. */
moat_heap_bounds_t moat_heap_bounds;

/* ---- Looking up ---------------------------------------------------------- */

struct moat_hall *moat_hall_of(uintptr_t address)
{
    struct moat_hall *hall = atomic_load_explicit(&halls, memory_order_acquire);

    while (hall != NULL && address - hall->begin >= hall->end - hall->begin)
        hall = hall->next;
    return hall;
}

struct moat_hall *moat_hall_of_region(const struct moat_heap_region *region,
                                      size_t *index)
{
    struct moat_hall *hall = atomic_load_explicit(&halls, memory_order_acquire);

    for (; hall != NULL; hall = hall->next) {
        size_t count = (hall->end - hall->begin) >> hall->shift;
        uintptr_t offset = (uintptr_t)region - (uintptr_t)hall->regions;

        if (offset < count * sizeof *region) {
            *index = offset / sizeof *region;
            return hall;
        }
    }
    return NULL;
}

moat_heap *moat_heap_of(const void *address)
{
    const struct moat_hall *hall = moat_hall_of((uintptr_t)address);
    size_t i = hall != NULL ? moat_hall_index(hall, (uintptr_t)address) : 0;
    bool any = hall != NULL && moat_region_quota(&hall->regions[i]) != 0;

    return any ? moat_hall_heap(hall, i) : NULL;
}

bool moat_heap_had(const void *address)
{
    return moat_heap_may_own(address) &&
           moat_hall_of((uintptr_t)address) != NULL;
}

/* ---- Halls --------------------------------------------------------------- */

static size_t next_capacity(unsigned shift)
{
    const struct moat_hall *hall = atomic_load(&halls);
    size_t capacity;

    while (hall != NULL && hall->shift != shift)
        hall = hall->next;
    capacity =
        hall != NULL ? (hall->end - hall->begin) >> shift << 1 : FIRST_CAPACITY;
    return capacity < MAX_CAPACITY ? capacity : MAX_CAPACITY;
}

/* Huge pages would take memory that no block uses, and that the quota does not
 * count. */
static bool reserve(struct moat_hall *hall, size_t bytes)
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
static struct moat_hall *make_hall(unsigned shift)
{
    for (size_t count = next_capacity(shift); count > 0; count /= 2) {
        struct moat_hall *hall =
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
static void widen_bounds(const struct moat_hall *hall)
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

static void publish(struct moat_hall *hall)
{
    widen_bounds(hall);
    hall->next = atomic_load_explicit(&halls, memory_order_relaxed);
    atomic_store_explicit(&halls, hall, memory_order_release);
}

/* ---- Taking and returning ------------------------------------------------ */

static bool has_room(const struct moat_hall *hall)
{
    return hall->free != NULL ||
           hall->taken < (hall->end - hall->begin) >> hall->shift;
}

static struct moat_hall *find_room(unsigned shift)
{
    struct moat_hall *hall = atomic_load_explicit(&halls, memory_order_relaxed);

    while (hall != NULL && (hall->shift != shift || !has_room(hall)))
        hall = hall->next;
    return hall;
}

static struct moat_heap_region *take_from(struct moat_hall *hall)
{
    struct moat_heap_region *region = hall->free;

    if (region == NULL)
        return &hall->regions[hall->taken++];
    hall->free = region->next;
    return region;
}

void moat_hall_put_back(struct moat_hall *hall, struct moat_heap_region *region)
{
    moat_lock(&moat_heap_regions_lock);
    region->next = hall->free;
    hall->free = region;
    moat_unlock(&moat_heap_regions_lock);
}

/* Two threads may both find no room: two halls. The lock allocates nothing. */
struct moat_heap_region *moat_hall_take(unsigned shift, struct moat_hall **out)
{
    struct moat_hall *made = NULL;
    struct moat_heap_region *region;

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

/* ---- The end ------------------------------------------------------------- */

static bool has_heap(const struct moat_hall *hall)
{
    for (size_t i = 0; i < hall->taken; i++) {
        if (moat_region_quota(&hall->regions[i]) != 0)
            return true;
    }
    return false;
}

void moat_halls_release(void)
{
    struct moat_hall *first = atomic_load(&halls);

    for (struct moat_hall *hall = first; hall != NULL; hall = hall->next) {
        if (has_heap(hall))
            return;
    }
    atomic_store(&halls, NULL);
    while (first != NULL) {
        struct moat_hall *next = first->next;

        moat_memory_release(first->begin, first->end - first->begin);
        moat_free_later(first);
        first = next;
    }
}
