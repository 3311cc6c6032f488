/*
 * layout.h: the layout of a region (heap.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_LAYOUT_H
#define MOAT_HEAP_LAYOUT_H

#include "heap/hall.h"
#include "heap/heap.h"

/* Returns how many pages a region of 2^shift bytes has addresses for, with
 * their entries. */
size_t moat_region_capacity(unsigned shift);

/* Returns the shift of regions for such a quota. */
unsigned moat_region_shift(size_t quota_bytes);

struct moat_span *moat_region_spans(const moat_heap *heap);

/* Returns the address of page 0. */
uintptr_t moat_region_pages(const moat_heap *heap, size_t capacity);

/* Returns the pages of a region that its heap has used. */
struct moat_pages moat_region_used(const struct moat_hall *hall,
                                   const struct moat_heap_region *region);

/* Maps the region anew. False: the system refused. */
bool moat_region_renew(const moat_heap *heap, const struct moat_hall *hall);

/* Drops the contents of a region without a heap, which another heap may then
 * take. Addresses that cannot be cleared are not used again. */
void moat_region_drop(struct moat_heap_region *region);

#endif
