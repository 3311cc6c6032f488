/*
 * registry.c: a map of ranges for readers, and a hash table of numbers for
 * writers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "registry/registry.h"

#include "sys/supply.h"

#define FIRST_BUCKETS ((size_t)16)

const struct moat_entry *moat_registry_at(const struct moat_registry *registry,
                                          uintptr_t address)
{
    return (const struct moat_entry *)moat_ranges_find(&registry->ranges,
                                                       address);
}

static struct moat_entry **bucket_of(struct moat_entry **buckets, size_t count,
                                     uint64_t id)
{
    return &buckets[id & (count - 1)];
}

/* Returns the link that points to the entry, or the one at the chain's end. */
static struct moat_entry **link_to(const struct moat_registry *registry,
                                   uint64_t id)
{
    struct moat_entry **link =
        bucket_of(registry->buckets, registry->bucket_count, id);

    while (*link != NULL && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

struct moat_entry *moat_registry_named(const struct moat_registry *registry,
                                       uint64_t id)
{
    return registry->count > 0 ? *link_to(registry, id) : NULL;
}

static void put(struct moat_entry **buckets, size_t count,
                struct moat_entry *entry)
{
    struct moat_entry **bucket = bucket_of(buckets, count, entry->id);

    entry->next = *bucket;
    *bucket = entry;
}

static void move_all(const struct moat_registry *registry,
                     struct moat_entry **to, size_t count)
{
    for (size_t i = 0; i < registry->bucket_count; i++) {
        struct moat_entry *entry = registry->buckets[i], *next;

        for (; entry != NULL; entry = next) {
            next = entry->next;
            put(to, count, entry);
        }
    }
}

/* Keeps the number of entries at or below that of the buckets. */
static moat_status reserve_bucket(struct moat_registry *registry)
{
    size_t count =
        registry->bucket_count > 0 ? 2 * registry->bucket_count : FIRST_BUCKETS;
    struct moat_entry **made;

    if (registry->count < registry->bucket_count)
        return MOAT_OK;
    made = moat_supply_take(count * sizeof(void *));
    if (made == NULL)
        return MOAT_E_NOMEM;
    move_all(registry, made, count);
    moat_free_later(registry->buckets);
    registry->buckets = made;
    registry->bucket_count = count;
    moat_supply_keep();
    return MOAT_OK;
}

moat_status moat_registry_prepare(struct moat_registry *registry,
                                  const struct moat_entry *entry)
{
    moat_status status;

    if (moat_ranges_overlap(&registry->ranges, &entry->range))
        return MOAT_E_OVERLAP;
    status = moat_ranges_reserve(&registry->ranges);
    return status == MOAT_OK ? reserve_bucket(registry) : status;
}

uint64_t moat_registry_add(struct moat_registry *registry,
                           struct moat_entry *entry)
{
    entry->id = ++registry->last_id;
    put(registry->buckets, registry->bucket_count, entry);
    registry->count++;
    moat_ranges_add(&registry->ranges, &entry->range);
    return entry->id;
}

void moat_registry_remove(struct moat_registry *registry,
                          struct moat_entry *entry)
{
    *link_to(registry, entry->id) = entry->next;
    moat_ranges_remove(&registry->ranges, &entry->range);
    if (--registry->count > 0)
        return;
    moat_free_later(registry->buckets);
    registry->buckets = NULL;
    registry->bucket_count = 0;
}
