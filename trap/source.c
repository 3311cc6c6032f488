/*
 * source.c: the source of page faults in use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/source.h"

#include <stdatomic.h>

#include "registry/ranges.h"

/* Written under the engine's lock, read by handlers. */
static _Atomic(const moat_source *) installed;

moat_status moat_trap_install(const moat_source *source)
{
    moat_status status = source->install();

    if (status == MOAT_OK)
        atomic_store(&installed, source);
    return status;
}

moat_status moat_trap_check(void)
{
    const moat_source *source = atomic_load(&installed);

    return source != NULL ? source->check() : MOAT_E_STATE;
}

moat_status moat_trap_remove(void)
{
    const moat_source *source = atomic_exchange(&installed, NULL);

    return source != NULL ? source->remove() : MOAT_OK;
}

bool (*moat_trap_source_fault(void))(void *, void *)
{
    const moat_source *source =
        atomic_load_explicit(&installed, memory_order_acquire);

    return source != NULL ? source->fault : NULL;
}

moat_status moat_trap_watch(const moat_source_range *range)
{
    const moat_source *source = atomic_load(&installed);

    if (source == NULL || source->watch == NULL)
        return MOAT_OK;
    return source->watch(range);
}

void moat_trap_unwatch(const moat_source_range *range)
{
    const moat_source *source = atomic_load(&installed);

    if (source != NULL && source->unwatch != NULL)
        source->unwatch(range);
}

moat_status moat_trap_watch_arena(uintptr_t begin, size_t bytes)
{
    const moat_source_range range = {begin, bytes, NULL};
    moat_status status;

    moat_lock(&moat_ranges_lock);
    status = moat_trap_watch(&range);
    moat_unlock(&moat_ranges_lock);
    return status;
}

void moat_trap_unwatch_arena(uintptr_t begin)
{
    const moat_source_range range = {begin, 0, NULL};

    moat_lock(&moat_ranges_lock);
    moat_trap_unwatch(&range);
    moat_unlock(&moat_ranges_lock);
}
