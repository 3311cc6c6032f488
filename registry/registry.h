/*
 * registry.h: what is registered in ranges of addresses, each under a number:
 * fault regions and registered code. Readers and writers as in ranges.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REGISTRY_REGISTRY_H
#define MOAT_REGISTRY_REGISTRY_H

#include "registry/ranges.h"

/* The first field of what is registered. */
struct moat_entry {
    struct moat_range range;
    uint64_t id;
    struct moat_entry *next; /* in its bucket */
};

/* All zeros: empty. Readers use the ranges alone. */
struct moat_registry {
    struct moat_ranges ranges;
    struct moat_entry **buckets; /* by the number's low bits  */
    size_t bucket_count;         /* a power of two, or 0      */
    size_t count;
    uint64_t last_id;
};

/* Returns the entry at an address, or NULL. As moat_ranges_find. */
const struct moat_entry *moat_registry_at(const struct moat_registry *registry,
                                          uintptr_t address);

/* Returns the entry of that number, or NULL. For the holder of the lock. */
struct moat_entry *moat_registry_named(const struct moat_registry *registry,
                                       uint64_t id);

/* Makes sure that the next add succeeds. MOAT_E_OVERLAP or MOAT_E_NOMEM: the
 * entry cannot be added, and nothing has changed. */
moat_status moat_registry_prepare(struct moat_registry *registry,
                                  const struct moat_entry *entry);

/* Returns the entry's number, which is never used twice. */
uint64_t moat_registry_add(struct moat_registry *registry,
                           struct moat_entry *entry);

/* When it returns no visitor sees the entry any more. */
void moat_registry_remove(struct moat_registry *registry,
                          struct moat_entry *entry);

#endif
