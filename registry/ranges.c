/*
 * ranges.c: ordered maps that are searched without a lock.
 *
 * A map has two levels: a root, which is an array of leaves in ascending order,
 * and leaves of up to LEAF_RANGES ranges. A search is two binary searches.
 *
 * Readers may be anywhere in it at any time, so nothing that they can reach is
 * changed. A published leaf is immutable: a writer fills a spare one, and
 * replaces the old one by it with a single store. The root is replaced as a
 * whole when a leaf is split, merged or dropped. After each store the writer
 * waits for the visitors (grace.h); only then is the old leaf or root a spare,
 * to be written again. A change therefore copies one leaf and, at most once in
 * LEAF_RANGES / 2 changes in the same leaf, the root.
 *
 * Between changes:
 * - No leaf is empty. A map without ranges has no root and no memory.
 * - A part's `from` never changes and is at or below its leaf's first range. A
 *   range inserted between the two goes into this leaf. So to find the last
 *   range at or below an address, look in the last leaf whose `from` is at or
 *   below it; if that leaf has none so low, take the last range of the leaf
 *   before.
 * - A spare leaf and a spare root (with room for the current leaves minus one)
 *   are always available: a removal, which cannot report a failure, allocates
 *   nothing. moat_ranges_reserve allocates what an addition needs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "registry/ranges.h"

#include <string.h>

#include "registry/grace.h"
#include "sys/search.h"
#include "sys/supply.h"

#define LEAF_RANGES ((size_t)64)
#define MAX_SPARES  3 /* enough for a split followed by a merge */

struct moat_ranges_leaf {
    struct moat_ranges_leaf *next; /* among the spares */
    size_t count;
    uintptr_t begins[LEAF_RANGES];
    const struct moat_range *ranges[LEAF_RANGES];
};

struct part {
    uintptr_t from; /* at or below the leaf's first range; constant */
    _Atomic(struct moat_ranges_leaf *) leaf;
};

#define PART_WORDS MOAT_KEY_STRIDE(struct part)
_Static_assert(sizeof(struct part) == PART_WORDS * sizeof(uintptr_t),
               "the keys of the parts are not whole words apart");

struct moat_ranges_root {
    size_t count, capacity;
    struct part parts[];
};

pthread_mutex_t moat_ranges_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- searches ------------------------------------------------------------ */

/* Returns how many of the leaf's ranges begin at or below the key. */
static size_t ranges_up_to(const struct moat_ranges_leaf *leaf, uintptr_t key)
{
    return moat_keys_up_to(leaf->begins, 1, leaf->count, key);
}

/* Returns the part in whose leaf a range with that `begin` belongs. */
static size_t part_for(const struct moat_ranges_root *root, uintptr_t begin)
{
    size_t up_to =
        moat_keys_up_to(&root->parts[0].from, PART_WORDS, root->count, begin);

    return up_to > 0 ? up_to - 1 : 0;
}

static struct moat_ranges_leaf *leaf_of(const struct moat_ranges_root *root,
                                        size_t part)
{
    return atomic_load(&root->parts[part].leaf);
}

/* Returns the range with the greatest `begin` at or below the address. */
static const struct moat_range *last_up_to(const struct moat_ranges *map,
                                           uintptr_t address)
{
    const struct moat_ranges_root *root = atomic_load(&map->root);
    const struct moat_ranges_leaf *leaf;
    size_t part, up_to;

    if (root == NULL)
        return NULL;
    part = part_for(root, address);
    leaf = leaf_of(root, part);
    up_to = ranges_up_to(leaf, address);
    if (up_to == 0 && part > 0) {
        leaf = leaf_of(root, part - 1);
        up_to = leaf->count;
    }
    return up_to > 0 ? leaf->ranges[up_to - 1] : NULL;
}

bool moat_ranges_any(const struct moat_ranges *map)
{
    return atomic_load_explicit(&map->root, memory_order_relaxed) != NULL;
}

const struct moat_range *moat_ranges_find(const struct moat_ranges *map,
                                          uintptr_t address)
{
    const struct moat_range *range = last_up_to(map, address);

    return range != NULL && address < range->end ? range : NULL;
}

bool moat_ranges_overlap(const struct moat_ranges *map,
                         const struct moat_range *range)
{
    const struct moat_range *last = last_up_to(map, range->end - 1);

    return last != NULL && last->end > range->begin;
}

/* --- memory -------------------------------------------------------------- */

static struct moat_ranges_leaf *take_spare(struct moat_ranges *map)
{
    struct moat_ranges_leaf *leaf = map->spares;

    map->spares = leaf->next;
    map->spare_count--;
    leaf->count = 0;
    return leaf;
}

static void keep_spare(struct moat_ranges *map, struct moat_ranges_leaf *leaf)
{
    if (map->spare_count == MAX_SPARES) {
        moat_free_later(leaf);
        return;
    }
    leaf->next = map->spares;
    map->spares = leaf;
    map->spare_count++;
}

static moat_status reserve_root(struct moat_ranges *map)
{
    const struct moat_ranges_root *now = atomic_load(&map->root);
    size_t needed = now != NULL ? now->count + 1 : 1;
    struct moat_ranges_root *made;

    if (map->spare_root != NULL && map->spare_root->capacity >= needed)
        return MOAT_OK;
    made = moat_supply_take(sizeof *made + 2 * needed * sizeof made->parts[0]);
    if (made == NULL)
        return MOAT_E_NOMEM;
    made->capacity = 2 * needed;
    moat_free_later(map->spare_root);
    map->spare_root = made;
    moat_supply_keep();
    return MOAT_OK;
}

/* A split takes two leaves and sets one free. */
moat_status moat_ranges_reserve(struct moat_ranges *map)
{
    while (map->spare_count < 2) {
        struct moat_ranges_leaf *made = moat_supply_take(sizeof *made);

        if (made == NULL)
            return MOAT_E_NOMEM;
        keep_spare(map, made);
        moat_supply_keep();
    }
    return reserve_root(map);
}

static void release(struct moat_ranges *map)
{
    while (map->spares != NULL)
        moat_free_later(take_spare(map));
    moat_free_later(map->spare_root);
    map->spare_root = NULL;
}

/* --- changes ------------------------------------------------------------- */

static void append(struct moat_ranges_leaf *to,
                   const struct moat_ranges_leaf *from, size_t first,
                   size_t count)
{
    memcpy(&to->begins[to->count], &from->begins[first],
           count * sizeof to->begins[0]);
    memcpy(&to->ranges[to->count], &from->ranges[first],
           count * sizeof(void *));
    to->count += count;
}

static void append_one(struct moat_ranges_leaf *to,
                       const struct moat_range *range)
{
    to->begins[to->count] = range->begin;
    to->ranges[to->count] = range;
    to->count++;
}

/* Copies `count` of the leaf's ranges, from `first` on, and inserts the new one
 * before number `at`, unless it is NULL. */
static struct moat_ranges_leaf *copy_with(struct moat_ranges *map,
                                          const struct moat_ranges_leaf *from,
                                          size_t first, size_t count, size_t at,
                                          const struct moat_range *range)
{
    struct moat_ranges_leaf *to = take_spare(map);
    size_t before = range != NULL ? at - first : count;

    append(to, from, first, before);
    if (range != NULL)
        append_one(to, range);
    append(to, from, first + before, count - before);
    return to;
}

/* Copies the root: after the first `parts`, `gone` of the old parts are left
 * out, and room for `more` new ones is left. */
static struct moat_ranges_root *copy_root(struct moat_ranges *map, size_t parts,
                                          size_t more, size_t gone)
{
    const struct moat_ranges_root *from = atomic_load(&map->root);
    struct moat_ranges_root *to = map->spare_root;
    size_t rest = from->count - parts - gone;

    map->spare_root = NULL;
    to->count = from->count + more - gone;
    memcpy(to->parts, from->parts, parts * sizeof to->parts[0]);
    memcpy(&to->parts[parts + more], &from->parts[parts + gone],
           rest * sizeof to->parts[0]);
    return to;
}

static void set_part(struct moat_ranges_root *root, size_t part, uintptr_t from,
                     struct moat_ranges_leaf *leaf)
{
    root->parts[part].from = from;
    atomic_init(&root->parts[part].leaf, leaf);
}

/* Makes `next`, which may be NULL, the root. When it returns no visitor sees
 * the old one. */
static void publish_root(struct moat_ranges *map, struct moat_ranges_root *next)
{
    struct moat_ranges_root *former = atomic_exchange(&map->root, next);

    moat_grace_wait();
    moat_free_later(map->spare_root);
    map->spare_root = former;
}

static void publish_leaf(struct moat_ranges *map, size_t part,
                         struct moat_ranges_leaf *next)
{
    struct moat_ranges_root *root = atomic_load(&map->root);
    struct moat_ranges_leaf *former =
        atomic_exchange(&root->parts[part].leaf, next);

    moat_grace_wait();
    keep_spare(map, former);
}

static void add_first(struct moat_ranges *map, const struct moat_range *range)
{
    struct moat_ranges_root *root = map->spare_root;
    struct moat_ranges_leaf *leaf = take_spare(map);

    map->spare_root = NULL;
    append_one(leaf, range);
    root->count = 1;
    set_part(root, 0, range->begin, leaf);
    publish_root(map, root);
}

static void split(struct moat_ranges *map, size_t part, size_t at,
                  const struct moat_range *range)
{
    struct moat_ranges_root *root = copy_root(map, part + 1, 1, 0);
    struct moat_ranges_leaf *full = leaf_of(root, part);
    const size_t half = LEAF_RANGES / 2;
    struct moat_ranges_leaf *low, *high;

    low = copy_with(map, full, 0, half, at, at <= half ? range : NULL);
    high = copy_with(map, full, half, LEAF_RANGES - half, at,
                     at > half ? range : NULL);
    set_part(root, part, root->parts[part].from, low);
    set_part(root, part + 1, high->begins[0], high);
    publish_root(map, root);
    keep_spare(map, full);
}

void moat_ranges_add(struct moat_ranges *map, const struct moat_range *range)
{
    const struct moat_ranges_root *root = atomic_load(&map->root);
    const struct moat_ranges_leaf *leaf;
    size_t part, at;

    if (root == NULL) {
        add_first(map, range);
        return;
    }
    part = part_for(root, range->begin);
    leaf = leaf_of(root, part);
    at = ranges_up_to(leaf, range->begin);
    if (leaf->count < LEAF_RANGES)
        publish_leaf(map, part,
                     copy_with(map, leaf, 0, leaf->count, at, range));
    else
        split(map, part, at, range);
}

/* Drops the part whose leaf has lost its only range. */
static void drop(struct moat_ranges *map, size_t part)
{
    const struct moat_ranges_root *root = atomic_load(&map->root);
    struct moat_ranges_leaf *gone = leaf_of(root, part);
    bool last = root->count == 1;

    publish_root(map, last ? NULL : copy_root(map, part, 0, 1));
    keep_spare(map, gone);
    if (last)
        release(map);
}

/* Replaces the leaves of this part and the next by `leaf`, which has the ranges
 * of both. */
static void merge(struct moat_ranges *map, size_t part,
                  struct moat_ranges_leaf *leaf)
{
    struct moat_ranges_root *root = copy_root(map, part + 1, 0, 1);
    struct moat_ranges_leaf *one = leaf_of(root, part);
    struct moat_ranges_leaf *other = leaf_of(atomic_load(&map->root), part + 1);

    set_part(root, part, root->parts[part].from, leaf);
    publish_root(map, root);
    keep_spare(map, one);
    keep_spare(map, other);
}

/* Returns whether `count` ranges fit into the next leaf with room to spare. */
static bool fits(const struct moat_ranges_root *root, size_t part, size_t count)
{
    return part + 1 < root->count &&
           count + leaf_of(root, part + 1)->count <= LEAF_RANGES / 2;
}

void moat_ranges_remove(struct moat_ranges *map, const struct moat_range *range)
{
    const struct moat_ranges_root *root = atomic_load(&map->root);
    size_t part = part_for(root, range->begin);
    const struct moat_ranges_leaf *leaf = leaf_of(root, part);
    size_t at = ranges_up_to(leaf, range->begin) - 1;
    struct moat_ranges_leaf *next;

    if (leaf->count == 1) {
        drop(map, part);
        return;
    }
    next = take_spare(map);
    append(next, leaf, 0, at);
    append(next, leaf, at + 1, leaf->count - at - 1);
    if (!fits(root, part, next->count)) {
        publish_leaf(map, part, next);
        return;
    }
    leaf = leaf_of(root, part + 1);
    append(next, leaf, 0, leaf->count);
    merge(map, part, next);
}
