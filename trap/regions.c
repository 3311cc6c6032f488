/*
 * regions.c: fault regions: who repairs a page fault at an address.
 *
 * The table is sorted by address and never changes: a writer makes a new one,
 * publishes it by one store and frees the old when no handler can still be
 * reading it (grace.c). Handlers search it without a lock. Regions do not
 * overlap, so at most one is asked.
 *
 * `lock` is taken by writers only. It comes after the arenas' lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "stack/size.h"
#include "trap/internal.h"

struct region {
    uintptr_t begin, end;
    moat_fault_fix fix;
    void *user;
    moat_fault_region id;
};

struct table {
    size_t count;
    const struct region *regions[];
};

#define POINTER_BYTES sizeof(const struct region *)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct table *) table; /* NULL: no region */
static moat_fault_region last_id;     /* under the lock  */

void moat_regions_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_regions_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

bool moat_regions_any(void)
{
    return atomic_load_explicit(&table, memory_order_relaxed) != NULL;
}

/* --- in the handler ------------------------------------------------------ */

/* The first place whose region ends above the address. */
static size_t place_of(const struct table *in, uintptr_t address)
{
    size_t low = 0, high = in->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (in->regions[middle]->end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct region *region_at(uintptr_t address)
{
    const struct table *now = atomic_load(&table);
    size_t place;

    if (now == NULL)
        return NULL;
    place = place_of(now, address);
    if (place == now->count || now->regions[place]->begin > address)
        return NULL;
    return now->regions[place];
}

/* A walk over a dead guest's stack that meets a word which is no address must
 * not bring a heap to life: its fault goes back to the walk. */
static bool is_page_fault(const siginfo_t *info, const void *ucontext,
                          struct moat_arch_fault *out)
{
    if (moat_trap_thread.probe != NULL)
        return false;
    memset(out, 0, sizeof *out);
    moat_arch_fault_from_context(ucontext, (uintptr_t)info->si_addr, out);
    return out->exception == MOAT_EXCEPTION_PAGE;
}

static bool ask(const struct region *region,
                const struct moat_arch_fault *fault)
{
    return region->fix((void *)fault->address, fault->access, region->user) ==
           MOAT_FAULT_FIXED;
}

bool moat_regions_fix(const siginfo_t *info, const void *ucontext)
{
    struct moat_arch_fault fault;
    const struct region *region;

    if (!is_page_fault(info, ucontext, &fault))
        return false;
    region = region_at(fault.address);
    return region != NULL && ask(region, &fault);
}

bool moat_source_fix(const void *opaque, void *siginfo, void *ucontext)
{
    struct moat_arch_fault fault;

    return opaque != NULL && is_page_fault(siginfo, ucontext, &fault) &&
           ask(opaque, &fault);
}

/* --- writers ------------------------------------------------------------- */

static void publish(struct table *next)
{
    struct table *former = atomic_exchange(&table, next);

    moat_grace_wait();
    free(former);
}

static moat_source_range range_of(const struct region *region)
{
    const moat_source_range range = {region->begin, region->end - region->begin,
                                     region};

    return range;
}

/* A copy with room for one more. */
static struct table *copy_table(const struct table *from, size_t count)
{
    struct table *copy = malloc(sizeof *copy + (count + 1) * POINTER_BYTES);

    if (copy == NULL)
        return NULL;
    copy->count = count;
    if (count > 0)
        memcpy(copy->regions, from->regions, count * POINTER_BYTES);
    return copy;
}

static moat_status insert(struct region *made)
{
    struct table *now = atomic_load(&table), *next;
    size_t count = now != NULL ? now->count : 0;
    size_t place = now != NULL ? place_of(now, made->begin) : 0;
    const moat_source_range range = range_of(made);
    moat_status status;

    if (place < count && now->regions[place]->begin < made->end)
        return MOAT_E_INVAL;
    next = copy_table(now, count);
    if (next == NULL)
        return MOAT_E_NOMEM;
    memmove(&next->regions[place + 1], &next->regions[place],
            (count - place) * POINTER_BYTES);
    next->regions[place] = made;
    next->count = count + 1;
    status = moat_trap_watch(&range);
    if (status != MOAT_OK) {
        free(next);
        return status;
    }
    made->id = ++last_id;
    publish(next);
    return MOAT_OK;
}

/* The caller's range, checked. */
static moat_status region_from(const moat_fault_region_options *options,
                               struct region *out)
{
    uintptr_t begin = (uintptr_t)options->begin;
    size_t end;

    if (options->fix == NULL || options->bytes == 0 || options->flags != 0 ||
        (begin | options->bytes) % MOAT_PAGE_BYTES != 0 ||
        !moat_size_add(begin, options->bytes, &end) ||
        moat_arena_overlaps(begin, end))
        return MOAT_E_INVAL;
    out->begin = begin;
    out->end = end;
    out->fix = options->fix;
    out->user = options->user;
    out->id = 0;
    return MOAT_OK;
}

moat_status moat_regions_add(const moat_fault_region_options *options,
                             moat_fault_region *out)
{
    struct region checked, *made;
    moat_status status = region_from(options, &checked);

    if (status != MOAT_OK)
        return status;
    if (moat_grace_visiting())
        return MOAT_E_STATE;
    made = malloc(sizeof *made);
    if (made == NULL)
        return MOAT_E_NOMEM;
    *made = checked;
    moat_regions_lock();
    status = insert(made);
    if (status == MOAT_OK)
        *out = made->id;
    moat_regions_unlock();
    if (status != MOAT_OK)
        free(made);
    return status;
}

static moat_status take_out(struct table *now, size_t place)
{
    const struct region *gone = now->regions[place];
    const moat_source_range range = range_of(gone);
    struct table *next = NULL;

    if (now->count > 1) {
        next = copy_table(now, now->count);
        if (next == NULL)
            return MOAT_E_NOMEM;
        next->count--;
        memmove(&next->regions[place], &next->regions[place + 1],
                (next->count - place) * POINTER_BYTES);
    }
    moat_trap_unwatch(&range);
    publish(next);
    free((void *)(uintptr_t)gone);
    return MOAT_OK;
}

static moat_status remove_locked(moat_fault_region id)
{
    struct table *now = atomic_load(&table);

    for (size_t i = 0; now != NULL && i < now->count; i++) {
        if (now->regions[i]->id == id)
            return take_out(now, i);
    }
    return MOAT_E_INVAL;
}

moat_status moat_regions_remove(moat_fault_region id)
{
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    moat_regions_lock();
    status = remove_locked(id);
    moat_regions_unlock();
    return status;
}
