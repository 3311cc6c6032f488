/*
 * returned.c: blocks that came back from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/returned.h"

#include <stdlib.h>

#include "sys/seal.h"

#define ALL_TAKEN ((uintptr_t)1)

static void free_all(struct moat_return *list)
{
    while (list != NULL) {
        struct moat_return *next = list->next;

        free(list);
        list = next;
    }
}

/* Claims the list of those that the guest has taken over. */
static struct moat_return *claim_taken(struct moat_returned *returned)
{
    uintptr_t taken = atomic_load(&returned->taken);

    if ((taken & ALL_TAKEN) == 0 ||
        !atomic_compare_exchange_strong(&returned->taken, &taken, 0))
        return NULL;
    return (struct moat_return *)(taken & ~ALL_TAKEN);
}

bool moat_returned_push(struct moat_returned *returned, void *block)
{
    struct moat_return *made = claim_taken(returned);

    if (made != NULL)
        free_all(made->next);
    else
        made = malloc(sizeof *made);
    if (made == NULL)
        return false;
    made->block = block;
    made->next = atomic_load(&returned->pushed);
    while (!atomic_compare_exchange_weak(&returned->pushed, &made->next, made))
        continue;
    return true;
}

/* No signal comes between the two lists: one of them has each entry, if the
 * guest is stopped. */
struct moat_return *moat_returned_begin(struct moat_returned *returned)
{
    struct moat_return *list, **end;

    moat_seal();
    list = atomic_exchange(&returned->pushed, NULL);
    for (end = &list; *end != NULL; end = &(*end)->next)
        continue;
    *end = (struct moat_return *)(atomic_exchange(&returned->taken, 0) &
                                  ~ALL_TAKEN);
    atomic_store(&returned->taken, (uintptr_t)list);
    moat_unseal();
    return list;
}

void moat_returned_end(struct moat_returned *returned)
{
    atomic_fetch_or(&returned->taken, ALL_TAKEN);
}

void moat_returned_drop(struct moat_returned *returned)
{
    free_all(atomic_exchange(&returned->pushed, NULL));
    free_all((struct moat_return *)(atomic_exchange(&returned->taken, 0) &
                                    ~ALL_TAKEN));
}
