/*
 * region.h: the addresses of heaps, and which heap an address belongs to.
 *
 * What is known of a region lies here, and not in it: a guest may have
 * overwritten everything in its heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_REGION_H
#define MOAT_HEAP_REGION_H

#include <stdbool.h>

#include <moat/heap.h>

#include "heap/returned.h"
#include "sys/lock.h"

/* Guards the lists of free regions; also held across a fork. */
extern pthread_mutex_t moat_heap_regions_lock;

/* Takes a region with an empty heap. The quota is not 0 and at most
 * MOAT_HEAP_MAX_BYTES. */
moat_status moat_heap_region_take(size_t quota_bytes, moat_heap **out);

/* Drops the contents of a region and makes an empty heap in it. */
moat_status moat_heap_region_renew(moat_heap *heap);

/* Makes a heap an empty one, as if renewed, and keeps its memory. Returns false
 * if it has used more than `keep_bytes`, or if something is left that only a
 * renewal undoes: the heap must be renewed then. */
bool moat_heap_region_clear(moat_heap *heap, size_t keep_bytes);

/* What moat_heap_region_clear goes by, since a guest may have overwritten the
 * heap's own words. Each is called before the change, which may be stopped in
 * its middle: so many pages are used, so many accessible; and so many more
 * things there are that only a renewal undoes. */
void moat_heap_region_reached(const moat_heap *heap, size_t fresh,
                              size_t opened);
void moat_heap_region_foreign(const moat_heap *heap, int change);

/* Ends a heap. Another one may take its region, at once or when nothing refers
 * to it any more (kept.h). */
void moat_heap_region_return(moat_heap *heap);

/* Returns whether the region would be kept for a while if its heap ended now.
 */
bool moat_heap_region_is_kept(const moat_heap *heap);

/* Unmaps all regions, unless there is a heap, or one that has ended is still
 * referred to. No other thread is at work. */
void moat_heap_regions_release(void);

/* Returns the quota, in bytes. Signal-safe: yes. */
size_t moat_heap_region_quota(const moat_heap *heap);

/* Returns whether `heap` is one. */
bool moat_heap_region_valid(const moat_heap *heap);

/* Returns the blocks of a heap that came back from outside. */
struct moat_returned *moat_heap_region_returned(const moat_heap *heap);

/* Returns whether the addresses that the heap has of itself are right: a guest
 * may have overwritten it. */
bool moat_heap_region_intact(const moat_heap *heap);

#endif
