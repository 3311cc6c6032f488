/*
 * registry.h: what can be registered and is told apart by a number: fault
 * regions and registered code. Readers and writers as in ranges.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_REGISTRY_H
#define MOAT_TRAP_REGISTRY_H

#include "trap/ranges.h"

/* At the front of what is registered. */
struct moat_entry {
    struct moat_range place;
    uint64_t id;
    struct moat_entry *next; /* in its bucket */
};

/* Zeros: empty. All but the places is for writers only. */
struct moat_registry {
    struct moat_ranges places;
    struct moat_entry **buckets; /* by the number's low bits */
    size_t bucket_count;         /* a power of two, or 0      */
    size_t count;
    uint64_t last_id;
};

/* What is at an address; what has a number. NULL: nothing. As
 * moat_ranges_find; the second is for whoever holds the lock. */
const struct moat_entry *moat_registry_at(const struct moat_registry *registry,
                                          uintptr_t address);
struct moat_entry *moat_registry_named(const struct moat_registry *registry,
                                       uint64_t id);

/* MOAT_E_OVERLAP or MOAT_E_NOMEM: may not be added, and nothing has changed.
 * Else the next add succeeds. */
moat_status moat_registry_prepare(struct moat_registry *registry,
                                  const struct moat_entry *entry);

/* Gives the entry's number, never given before. */
uint64_t moat_registry_add(struct moat_registry *registry,
                           struct moat_entry *entry);

/* When it returns the entry is the caller's alone. */
void moat_registry_remove(struct moat_registry *registry,
                          struct moat_entry *entry);

#endif
