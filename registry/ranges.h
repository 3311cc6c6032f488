/*
 * ranges.h: maps from addresses to ranges, for handlers that search while
 * threads register. Fault regions and registered code are built on them.
 *
 * Readers take no lock: a reader is a visitor (grace.h) for as long as it uses
 * what it found. Writers of all maps hold one lock, moat_ranges_lock, which is
 * taken after the arenas' lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REGISTRY_RANGES_H
#define MOAT_REGISTRY_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

#include "sys/lock.h"

/* Half open; embedded in what the map leads to. Constant while it is in one. */
struct moat_range {
    uintptr_t begin, end;
};

struct moat_ranges_leaf;
struct moat_ranges_root;

/* All zeros: empty. */
struct moat_ranges {
    _Atomic(struct moat_ranges_root *) root; /* NULL: no range           */
    struct moat_ranges_leaf *spares;         /* for the next changes     */
    struct moat_ranges_root *spare_root;
    unsigned spare_count;
};

/* The writers' lock. Also held across a fork. */
extern pthread_mutex_t moat_ranges_lock;

/* Returns whether there is any range. Signal-safe: yes. */
bool moat_ranges_any(const struct moat_ranges *map);

/* Returns the range that the address lies in, or NULL. For visitors, and for
 * the holder of the lock. Signal-safe: yes. */
const struct moat_range *moat_ranges_find(const struct moat_ranges *map,
                                          uintptr_t address);

/* Returns whether a range of the map shares an address with this one. */
bool moat_ranges_overlap(const struct moat_ranges *map,
                         const struct moat_range *range);

/* Takes what the next add may need from the supply. Under the lock, like all
 * that follows. MOAT_E_NOMEM. */
moat_status moat_ranges_reserve(struct moat_ranges *map);

/* After a reserve; no range of the map overlaps this one. The memory of the
 * range stays the caller's. */
void moat_ranges_add(struct moat_ranges *map, const struct moat_range *range);

/* Needs no memory. When it returns no visitor sees the range any more. */
void moat_ranges_remove(struct moat_ranges *map,
                        const struct moat_range *range);

#endif
