/*
 * homes.c: a thread's homes. Spares count as live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/homes.h"

#include <stdlib.h>
#include <string.h>

#include "engine/copied.h"
#include "engine/lock.h"
#include "heap/region.h"
#include "stack/trim.h"
#include "sys/lock.h"

#define LENDERS 16

/* --- homes ---------------------------------------------------------------- */

/* A stack that is scrubbed, trimmed or announced to a sanitizer when it changes
 * hands goes through the pool, and a heap of its own ends with its guest. One
 * that has just run is not ready to be entered where stacks are shared. */
static uint64_t usual_max(const struct spec *spec)
{
    if ((spec->options.flags & MOAT_CO_SCRUB_MASK) != 0 ||
        spec->limits.memory_bytes != 0 || moat_trim_stack_bytes() != 0 ||
        spec->options.stack_kind != MOAT_STACK_OWN || moat_annotate_active())
        return 0;
    return MOAT_MAX_SPARES;
}

static void add(struct moat_homes *homes, struct moat_home *home,
                struct moat_thread *owner, struct spec *spec)
{
    home->owner = owner;
    if (spec != NULL) {
        home->spec = &spec->head;
        home->max = usual_max(spec);
    }
    home->next = homes->first;
    homes->first = home;
}

void moat_homes_open(struct moat_homes *homes, struct moat_thread *owner)
{
    add(homes, &homes->loose, owner, NULL);
    add(homes, &homes->usual, owner, &moat_spec_default);
    moat_tls.home = &homes->usual;
}

static bool is_built_in(const struct moat_homes *homes,
                        const struct moat_home *home)
{
    return home == &homes->usual || home == &homes->loose;
}

void moat_homes_free(struct moat_homes *homes)
{
    while (homes->first != NULL) {
        struct moat_home *home = homes->first;

        homes->first = home->next;
        if (is_built_in(homes, home))
            continue;
        moat_spec_release(spec_of(home->spec));
        moat_free_later(home);
    }
    for (unsigned i = 0; i < MOAT_RECENT_SPECS; i++) {
        if (homes->recent[i].spec != NULL)
            moat_spec_release(homes->recent[i].spec);
    }
    moat_free_later(homes->array);
}

/* --- the array of the thread's words -------------------------------------- */

static moat_status reach(struct moat_homes *homes, size_t index)
{
    uintptr_t *array = homes->array;
    size_t length = array != NULL ? array[0] : 0;
    size_t wanted = length != 0 ? length : 8;

    if (index < length)
        return MOAT_OK;
    while (wanted <= index)
        wanted *= 2;
    array = realloc(array, wanted * sizeof *array);
    if (array == NULL)
        return MOAT_E_NOMEM;
    memset(array + length, 0, (wanted - length) * sizeof *array);
    array[0] = wanted;
    homes->array = moat_tls.homes = array;
    return MOAT_OK;
}

struct moat_home *moat_home_lookup(const struct spec *spec)
{
    const uintptr_t *homes = moat_tls.homes;
    uint64_t index = spec->head.index;

    return homes != NULL && index < homes[0] ? (struct moat_home *)homes[index]
                                             : NULL;
}

static moat_status make(struct moat_homes *homes, struct spec *spec,
                        struct moat_home **out)
{
    struct moat_home *home;

    if (reach(homes, spec->head.index) != MOAT_OK ||
        (home = malloc(sizeof *home)) == NULL)
        return MOAT_E_NOMEM;
    *home = (struct moat_home){.spare = NULL};
    moat_engine_lock();
    moat_spec_hold(spec);
    add(homes, home, homes->usual.owner, spec);
    if (moat_home_is_dead(home)) /* of a coroutine that was adopted */
        moat_homes_retire(homes, spec);
    moat_engine_unlock();
    moat_tls.homes[spec->head.index] = (uintptr_t)home;
    *out = home;
    return MOAT_OK;
}

moat_status moat_home_find(struct moat_homes *homes, struct spec *spec,
                           struct moat_home **out)
{
    *out = spec == &moat_spec_default ? &homes->usual : moat_home_lookup(spec);
    return *out != NULL ? MOAT_OK : make(homes, spec, out);
}

/* --- spares --------------------------------------------------------------- */

size_t moat_homes_spares(const struct moat_homes *homes)
{
    size_t count = 0;

    for (const struct moat_home *each = homes->first; each != NULL;
         each = each->next)
        count += __atomic_load_n(&each->spares, __ATOMIC_RELAXED);
    return count;
}

static size_t departed_from(const struct moat_home *home)
{
    return __atomic_load_n(&home->departed, __ATOMIC_RELAXED);
}

size_t moat_homes_departed(const struct moat_homes *homes)
{
    size_t count = 0;

    for (const struct moat_home *each = homes->first; each != NULL;
         each = each->next)
        count += departed_from(each);
    return count;
}

bool moat_home_is_empty(const struct moat_home *home)
{
    return home->made == departed_from(home);
}

void moat_home_depart(struct moat_home *home)
{
    __atomic_store_n(&home->departed, departed_from(home) + 1,
                     __ATOMIC_RELAXED);
}

static void recount(struct moat_home *home)
{
    uint64_t count = 0;

    for (const moat_co *spare = home->spare; spare != NULL;
         spare = (const moat_co *)spare->resumer)
        count++;
    __atomic_store_n(&home->spares, count, __ATOMIC_RELAXED);
}

size_t moat_homes_recount(struct moat_homes *homes)
{
    size_t made = 0;

    for (struct moat_home *each = homes->first; each != NULL;
         each = each->next) {
        recount(each);
        made += each->made;
    }
    return made;
}

static void to_pool(struct co *co, struct moat_pool *pool)
{
    if (moat_co_owns_heap(co))
        moat_heap_region_return(moat_heap_of_co(co));
    co->name = NULL;
    if (moat_is_copied(co))
        moat_slot_restore(&co->slot);
    moat_pool_put(pool, &co->slot);
}

/* Takes spares until so many are left. */
static size_t empty_to(struct moat_home *home, size_t left,
                       struct moat_pool *pool)
{
    size_t before = home->spares;

    while (home->spares > left) {
        struct co *co = co_of(home->spare);

        home->spare = (moat_co *)co->control.resumer;
        __atomic_store_n(&home->spares, home->spares - 1, __ATOMIC_RELAXED);
        home->made--;
        to_pool(co, pool);
    }
    return before - home->spares;
}

static size_t empty(struct moat_home *home, struct moat_pool *pool)
{
    return empty_to(home, 0, pool);
}

size_t moat_homes_empty(struct moat_homes *homes, struct moat_pool *pool)
{
    size_t count = 0;

    for (struct moat_home *each = homes->first; each != NULL; each = each->next)
        count += empty(each, pool);
    return count;
}

static bool may_lend(const struct moat_home *home, const struct spec *to)
{
    const struct spec *spec = home->spec != NULL ? spec_of(home->spec) : NULL;

    return spec != NULL && spec != to && home->spares > home->prepared &&
           spec->options.stack_kind == to->options.stack_kind &&
           spec->options.stack_bytes == to->options.stack_bytes &&
           spec->options.guard_bytes == to->options.guard_bytes;
}

static size_t lend(struct moat_home *home, const struct spec *to, size_t max,
                   struct moat_pool *pool)
{
    size_t some;

    if (!may_lend(home, to))
        return 0;
    some = home->spares - home->prepared;
    return empty_to(home, home->spares - (some < max ? some : max), pool);
}

/* A thread may have a great many homes: a few are asked. */
size_t moat_homes_lend(struct moat_homes *homes, const struct spec *to,
                       size_t max, struct moat_pool *pool)
{
    struct moat_home *each = homes->first;
    size_t count = lend(&homes->usual, to, max, pool);

    for (int i = 0; i < LENDERS && each != NULL && count < max; i++) {
        count += lend(each, to, max - count, pool);
        each = each->next;
    }
    return count;
}

/* --- homes of destroyed specs --------------------------------------------- */

void moat_homes_retire(struct moat_homes *homes, const struct spec *spec)
{
    for (struct moat_home *each = homes->first; each != NULL;
         each = each->next) {
        if (each->spec != &spec->head)
            continue;
        __atomic_store_n(&each->max, 0, __ATOMIC_RELAXED);
        atomic_store(&homes->sweep, true);
    }
}

bool moat_home_is_dead(const struct moat_home *home)
{
    return home->spec != NULL && atomic_load(&spec_of(home->spec)->dead);
}

static void unlink_home(struct moat_home **link)
{
    struct moat_home *home = *link;
    struct spec *spec = spec_of(home->spec);

    if (moat_tls.homes != NULL)
        moat_tls.homes[spec->head.index] = 0;
    moat_engine_lock();
    *link = home->next;
    moat_spec_release(spec);
    moat_engine_unlock();
    free(home);
}

size_t moat_homes_sweep(struct moat_homes *homes, struct moat_pool *pool)
{
    struct moat_home **link = &homes->first;
    size_t count = 0;

    atomic_store(&homes->sweep, false);
    while (*link != NULL) {
        struct moat_home *home = *link;

        if (moat_home_is_dead(home))
            count += empty(home, pool);
        if (moat_home_is_dead(home) && moat_home_is_empty(home)) {
            count += departed_from(home);
            unlink_home(link);
        } else {
            link = &home->next;
        }
    }
    return count;
}

/* --- options that come again ---------------------------------------------- */

static struct moat_home *recent_at(struct moat_homes *homes, unsigned i,
                                   const moat_co_options *asked)
{
    struct moat_recent *recent = &homes->recent[i];

    if (recent->spec == NULL || !moat_spec_matches(recent->spec, asked))
        return NULL;
    homes->last = i;
    return recent->home;
}

struct moat_home *moat_homes_recent(struct moat_homes *homes,
                                    const moat_co_options *asked)
{
    struct moat_home *home = recent_at(homes, homes->last, asked);

    if (home == NULL && moat_spec_matches(&moat_spec_default, asked))
        home = &homes->usual;
    for (unsigned i = 0; home == NULL && i < MOAT_RECENT_SPECS; i++)
        home = recent_at(homes, i, asked);
    return home;
}

/* Returns whether the content came before. It is forgotten then: it has a spec
 * from now on. */
static bool comes_again(struct moat_homes *homes, uint64_t hash)
{
    uint64_t *seen = &homes->seen[hash % (sizeof homes->seen / sizeof hash)];
    bool again = *seen == hash;

    *seen = again ? 0 : hash;
    return again;
}

static void forget(struct moat_homes *homes, struct moat_recent *recent)
{
    struct spec *spec = recent->spec;

    if (spec == NULL)
        return;
    recent->spec = NULL;
    moat_engine_lock();
    atomic_store(&spec->dead, true);
    moat_homes_retire(homes, spec);
    moat_spec_release(spec);
    moat_engine_unlock();
}

static struct moat_home *remember(struct moat_homes *homes,
                                  const struct spec *filled)
{
    struct moat_recent *recent = &homes->recent[homes->oldest];
    struct moat_home *home;
    struct spec *spec;

    if (moat_spec_new(filled, &spec) != MOAT_OK)
        return NULL;
    forget(homes, recent);
    if (moat_home_find(homes, spec, &home) != MOAT_OK) {
        moat_engine_lock();
        moat_spec_release(spec);
        moat_engine_unlock();
        return NULL;
    }
    *recent = (struct moat_recent){spec, home};
    homes->last = homes->oldest;
    homes->oldest = (homes->oldest + 1) % MOAT_RECENT_SPECS;
    return home;
}

struct moat_home *moat_homes_choose(struct moat_homes *homes,
                                    const struct spec *filled)
{
    struct moat_home *home = moat_homes_recent(homes, &filled->options);

    if (home == NULL && (filled->options.stack_kind == MOAT_STACK_COPIED ||
                         comes_again(homes, moat_spec_hash(filled))))
        home = remember(homes, filled);
    return home != NULL ? home : &homes->loose;
}

void moat_homes_close(struct moat_homes *homes)
{
    for (unsigned i = 0; i < MOAT_RECENT_SPECS; i++)
        forget(homes, &homes->recent[i]);
    moat_tls.home = NULL;
    moat_tls.homes = NULL;
}
