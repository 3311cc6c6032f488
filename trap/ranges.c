/*
 * ranges.c: ordered maps that are searched without a lock.
 *
 * Two levels: a root of leaves, in ascending order, and leaves of up to
 * LEAF_RANGES ranges. A leaf never changes: a writer fills another one and puts
 * it in its place by one store; when no visitor can still be looking at the old
 * one (grace.c) it is kept for the next change. The root is copied only when a
 * leaf is split, merged or gone. So a change costs a leaf's copy and, at most
 * once in LEAF_RANGES / 2 changes at a place, a copy of the root; a search is
 * two binary searches.
 *
 * Between changes: no leaf is empty; the range with the greatest `begin` at or
 * below an address is in the last leaf whose `from` is, or at the end of the
 * leaf before; there is a spare leaf, and a spare root large enough for one
 * leaf less: remove cannot fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/ranges.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "trap/internal.h"

#define LEAF_RANGES ((size_t)64)
#define MOST_SPARES 3 /* what a split and a merge may need and set free */

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

#define PART_WORDS (sizeof(struct part) / sizeof(uintptr_t))
_Static_assert(sizeof(struct part) == PART_WORDS * sizeof(uintptr_t),
               "the keys of the parts are not whole words apart");

struct moat_ranges_root {
    size_t count, capacity;
    struct part parts[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void moat_ranges_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_ranges_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* --- searches ------------------------------------------------------------ */

/* How many of the ascending keys, `stride` words apart, are at or below `key`?
 */
static size_t keys_up_to(const uintptr_t *keys, size_t stride, size_t count,
                         uintptr_t key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keys[middle * stride] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t ranges_up_to(const struct moat_ranges_leaf *leaf, uintptr_t key)
{
    return keys_up_to(leaf->begins, 1, leaf->count, key);
}

/* The leaf in which a range with that `begin` is, or would be. */
static size_t part_for(const struct moat_ranges_root *root, uintptr_t begin)
{
    size_t up_to =
        keys_up_to(&root->parts[0].from, PART_WORDS, root->count, begin);

    return up_to > 0 ? up_to - 1 : 0;
}

static struct moat_ranges_leaf *leaf_of(const struct moat_ranges_root *root,
                                        size_t part)
{
    return atomic_load(&root->parts[part].leaf);
}

/* The range with the greatest `begin` at or below the address. */
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
    return leaf;
}

static void keep_spare(struct moat_ranges *map, struct moat_ranges_leaf *leaf)
{
    if (map->spare_count == MOST_SPARES) {
        free(leaf);
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
    made = malloc(sizeof *made + 2 * needed * sizeof made->parts[0]);
    if (made == NULL)
        return MOAT_E_NOMEM;
    made->capacity = 2 * needed;
    free(map->spare_root);
    map->spare_root = made;
    return MOAT_OK;
}

/* A split takes two leaves and gives one back. */
moat_status moat_ranges_reserve(struct moat_ranges *map)
{
    while (map->spare_count < 2) {
        struct moat_ranges_leaf *made = malloc(sizeof *made);

        if (made == NULL)
            return MOAT_E_NOMEM;
        keep_spare(map, made);
    }
    return reserve_root(map);
}

static void release(struct moat_ranges *map)
{
    while (map->spares != NULL)
        free(take_spare(map));
    free(map->spare_root);
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

/* The leaf's ranges from `first` on, `count` of them, with the new one among
 * them, before place `at`. */
static struct moat_ranges_leaf *copy_with(struct moat_ranges *map,
                                          const struct moat_ranges_leaf *from,
                                          size_t first, size_t count, size_t at,
                                          const struct moat_range *range)
{
    struct moat_ranges_leaf *to = take_spare(map);
    bool here = range != NULL;
    size_t before = here ? at - first : count;

    to->count = 0;
    append(to, from, first, before);
    if (here)
        append_one(to, range);
    append(to, from, first + before, count - before);
    return to;
}

/* A root with room for `more` leaves behind the first `parts`, of which `gone`
 * of the old root's are left out. */
static struct moat_ranges_root *copy_root(struct moat_ranges *map, size_t parts,
                                          size_t more, size_t gone)
{
    const struct moat_ranges_root *from = atomic_load(&map->root);
    struct moat_ranges_root *to = map->spare_root;
    size_t behind = from->count - parts - gone;

    map->spare_root = NULL;
    to->count = from->count + more - gone;
    memcpy(to->parts, from->parts, parts * sizeof to->parts[0]);
    memcpy(&to->parts[parts + more], &from->parts[parts + gone],
           behind * sizeof to->parts[0]);
    return to;
}

static void set_part(struct moat_ranges_root *root, size_t part, uintptr_t from,
                     struct moat_ranges_leaf *leaf)
{
    root->parts[part].from = from;
    atomic_init(&root->parts[part].leaf, leaf);
}

/* Makes `next` the root, or NULL; when it returns nobody looks at the old one.
 */
static void publish_root(struct moat_ranges *map, struct moat_ranges_root *next)
{
    struct moat_ranges_root *former = atomic_exchange(&map->root, next);

    moat_grace_wait();
    free(map->spare_root);
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
    leaf->count = 0;
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

/* Leaves out the part whose leaf has become empty; an empty map has no memory.
 */
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

/* Puts `leaf`, which has taken over the next part's ranges, in place of both.
 */
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
    next->count = 0;
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
