/*
 * hall.h: the halls in which regions lie side by side, and what is known of a
 * region.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_HALL_H
#define MOAT_HEAP_HALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/region.h"
#include "heap/returned.h"
#include "sys/memory.h"

/* At both ends of each region, at least. */
#define MOAT_REGION_GUARD ((size_t)64 << 10)

struct moat_heap_region {
    atomic_size_t quota_bytes;     /* 0: there is no heap                   */
    struct moat_heap_region *next; /* on the list of its hall, or of kept.c */
    struct moat_returned returned;
    /* Of the heap, since it was made or renewed. */
    size_t fresh, opened; /* the most that they were    */
    int foreign;          /* mappings, and the break    */

    /* Of kept.c. */
    atomic_bool kept;   /* its heap has ended, and its memory is there      */
    int thread;         /* that ended the heap                              */
    size_t bytes;       /* as the last look found it; 0: there was none yet */
    unsigned long mark; /* of the look that found a reference to it         */
    bool direct;        /* a variable has that reference, not another heap  */
    struct moat_heap_region *next_marked;
};

struct moat_hall {
    struct moat_hall *next;
    uintptr_t begin, end;
    unsigned shift;                /* of a region's bytes                     */
    size_t taken;                  /* regions 0..taken-1 have been handed out */
    struct moat_heap_region *free; /* those of them that have no heap         */
    struct moat_heap_region regions[];
};

/* Returns the hall that an address lies in, or NULL. Signal-safe: yes. */
struct moat_hall *moat_hall_of(uintptr_t address);

/* Returns the hall of a region, and the region's number in it. */
struct moat_hall *moat_hall_of_region(const struct moat_heap_region *region,
                                      size_t *index);

static inline size_t moat_hall_index(const struct moat_hall *hall,
                                     uintptr_t address)
{
    return (address - hall->begin) >> hall->shift;
}

static inline moat_heap *moat_hall_heap(const struct moat_hall *hall,
                                        size_t index)
{
    return (moat_heap *)(hall->begin + (index << hall->shift) +
                         MOAT_REGION_GUARD);
}

static inline size_t moat_region_quota(const struct moat_heap_region *region)
{
    return atomic_load_explicit(&region->quota_bytes, memory_order_acquire);
}

/* Takes a region of 2^shift bytes that has no heap; NULL: no memory. */
struct moat_heap_region *moat_hall_take(unsigned shift, struct moat_hall **out);

void moat_hall_put_back(struct moat_hall *hall,
                        struct moat_heap_region *region);

/* Unmaps all regions, unless there is a heap. */
void moat_halls_release(void);

#endif
