/*
 * regions.c: fault regions: ranges of addresses whose page faults the host
 * repairs.
 *
 * Handlers search them without a lock (ranges.h). Regions do not overlap, so at
 * most one is asked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "registry/grace.h"
#include "registry/registry.h"
#include "stack/lent.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "sys/supply.h"
#include "trap/probe.h"
#include "trap/regions.h"
#include "trap/source.h"

struct region {
    struct moat_entry entry; /* first */
    moat_fault_fix fix;
    void *user;
};

static struct moat_registry regions;

bool moat_regions_any(void)
{
    return moat_ranges_any(&regions.ranges);
}

/* --- in the handler ------------------------------------------------------ */

static const struct region *region_at(uintptr_t address)
{
    return (const struct region *)moat_registry_at(&regions, address);
}

/* A walk over a dead guest's stack may read a word that only looks like an
 * address in a region. It must not make a lazy heap allocate: such a fault goes
 * back to the walk. */
static bool is_page_fault(const siginfo_t *info, const void *ucontext,
                          struct moat_arch_fault *out)
{
    if (moat_probe != NULL)
        return false;
    memset(out, 0, sizeof *out);
    moat_arch_fault_from_context(ucontext, info, out);
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

static moat_source_range range_of(const struct region *region)
{
    const struct moat_range *place = &region->entry.range;
    const moat_source_range range = {place->begin, place->end - place->begin,
                                     region};

    return range;
}

static moat_status insert(struct region *made, moat_fault_region *out)
{
    const moat_source_range range = range_of(made);
    moat_status status = moat_registry_prepare(&regions, &made->entry);

    if (status == MOAT_E_OVERLAP)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->begin is %x, bytes %u: part of it "
                                  "is a fault region already",
                                  made->entry.range.begin,
                                  made->entry.range.end -
                                      made->entry.range.begin);
    if (status == MOAT_OK)
        status = moat_trap_watch(&range);
    if (status == MOAT_OK)
        *out = moat_registry_add(&regions, &made->entry);
    return status;
}

/* Checks the caller's options and makes a region of them. */
static moat_status region_from(const moat_fault_region_options *options,
                               struct region *out)
{
    uintptr_t begin = (uintptr_t)options->begin;
    size_t end;

    if (options->fix == NULL)
        return moat_refuse(MOAT_E_INVAL, "options->fix is NULL");
    if (options->flags != 0)
        return moat_refuse_value(
            MOAT_E_INVAL, "options->flags is %x: it must be 0", options->flags);
    if (options->bytes == 0 ||
        (begin | options->bytes) % moat_page_bytes() != 0 ||
        !moat_size_add(begin, options->bytes, &end))
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->begin is %x, bytes %u: they must "
                                  "be whole pages, and not 0 bytes",
                                  begin, options->bytes);
    if (moat_arena_overlaps(begin, end) || moat_lent_overlaps(begin, end))
        return moat_refuse_value(MOAT_E_INVAL,
                                 "options->begin is %x: coroutines' stacks lie "
                                 "there",
                                 begin);
    out->entry.range.begin = begin;
    out->entry.range.end = end;
    out->fix = options->fix;
    out->user = options->user;
    return MOAT_OK;
}

moat_status moat_regions_add(const moat_fault_region_options *options,
                             moat_fault_region *out)
{
    moat_fault_region id = 0;
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
    do {
        moat_lock(&moat_ranges_lock);
        status = insert(made, &id);
        moat_unlock(&moat_ranges_lock);
    } while (moat_supply_fill(status));
    if (status == MOAT_OK)
        *out = id; /* after the unlock: the store may fault */
    else
        free(made);
    return status;
}

static moat_status remove_locked(moat_fault_region id)
{
    struct region *gone = (struct region *)moat_registry_named(&regions, id);
    moat_source_range range;

    if (gone == NULL)
        return moat_refuse_value(MOAT_E_INVAL, "region is %u: none such", id);
    range = range_of(gone);
    moat_trap_unwatch(&range);
    moat_registry_remove(&regions, &gone->entry);
    moat_free_later(gone);
    return MOAT_OK;
}

moat_status moat_regions_remove(moat_fault_region id)
{
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    moat_lock(&moat_ranges_lock);
    status = remove_locked(id);
    moat_unlock(&moat_ranges_lock);
    return status;
}

/* For sources that keep ranges of their own. */
void moat_source_wait(void)
{
    moat_grace_wait();
}
