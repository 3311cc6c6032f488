/*
 * ranges.h: maps from addresses to ranges, for handlers that search while
 * threads register. Fault regions and registered code stand on them.
 *
 * A reader takes no lock: it is a visitor of grace.c for as long as it uses
 * what it found. Writers of all maps hold one
 * lock, moat_ranges_lock (trap.h), which comes after the arenas' lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_RANGES_H
#define MOAT_TRAP_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

/* Half open; lies in whatever the map leads to. Constant while it is in one. */
struct moat_range {
    uintptr_t begin, end;
};

struct moat_ranges_leaf;
struct moat_ranges_root;

/* Zeros: empty. */
struct moat_ranges {
    _Atomic(struct moat_ranges_root *) root; /* NULL: no range          */
    struct moat_ranges_leaf *spares;         /* for the next changes    */
    struct moat_ranges_root *spare_root;
    unsigned spare_count;
};

/* Is there any range? Signal-safe: yes. */
bool moat_ranges_any(const struct moat_ranges *map);

/* The range that the address lies in; NULL: none. For visitors, and for whoever
 * holds the lock. Signal-safe: yes. */
const struct moat_range *moat_ranges_find(const struct moat_ranges *map,
                                          uintptr_t address);

/* Does a range of the map share an address with this one? */
bool moat_ranges_overlap(const struct moat_ranges *map,
                         const struct moat_range *range);

/* Makes sure that the next add finds the memory it may need. */
moat_status moat_ranges_reserve(struct moat_ranges *map);

/* After a reserve; no range of the map overlaps it. The memory of the range is
 * the caller's. */
void moat_ranges_add(struct moat_ranges *map, const struct moat_range *range);

/* Needs no memory. When it returns no visitor sees the range any more. */
void moat_ranges_remove(struct moat_ranges *map,
                        const struct moat_range *range);

#endif
