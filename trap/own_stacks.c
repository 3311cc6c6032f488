/*
 * own_stacks.c: stacks that guests have made for themselves and registered.
 *
 * Handlers search them without a lock (ranges.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/own_stacks.h"

#include <stdlib.h>

#include "registry/grace.h"
#include "registry/registry.h"
#include "sys/refusal.h"
#include "sys/supply.h"

static struct moat_registry stacks;

moat_status moat_own_stacks_add(const struct moat_range *stack, uint64_t *out)
{
    struct moat_entry *made;
    uint64_t id = 0;
    moat_status status;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return MOAT_E_NOMEM;
    made->range = *stack;
    do {
        moat_lock(&moat_ranges_lock);
        status = moat_registry_prepare(&stacks, made);
        if (status == MOAT_OK)
            id = moat_registry_add(&stacks, made);
        moat_unlock(&moat_ranges_lock);
    } while (moat_supply_fill(status));
    if (status == MOAT_OK)
        *out = id; /* after the unlock: the store may fault */
    else
        free(made);
    return status;
}

moat_status moat_own_stacks_remove(uint64_t id)
{
    struct moat_entry *gone;

    if (moat_grace_visiting())
        return MOAT_E_STATE;
    moat_lock(&moat_ranges_lock);
    gone = moat_registry_named(&stacks, id);
    if (gone != NULL)
        moat_registry_remove(&stacks, gone);
    moat_unlock(&moat_ranges_lock);
    free(gone);
    return gone != NULL
               ? MOAT_OK
               : moat_refuse_value(MOAT_E_INVAL,
                                   "id is %u: no registered stack", id);
}

bool moat_own_stacks_find(uintptr_t address, struct moat_range *out)
{
    const struct moat_range *found;
    bool entered;

    if (!moat_ranges_any(&stacks.ranges))
        return false;
    entered = moat_grace_enter();
    found = moat_ranges_find(&stacks.ranges, address);
    if (found != NULL)
        *out = *found;
    if (entered)
        moat_grace_leave();
    return found != NULL;
}
