/*
 * pool.c: the free slots that a thread keeps, last in, first out. Only settling
 * makes system calls, for many slots at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/pool.h"

#include <stdlib.h>

#include "stack/arena.h"
#include "stack/scrub.h"
#include "stack/trim.h"
#include "sys/lock.h"

/* Finds the shelf of a class and moves it to the front. */
static struct moat_shelf *find_shelf(struct moat_pool *pool,
                                     const struct moat_stack_class *stack_class)
{
    struct moat_shelf **link = &pool->shelves;
    struct moat_shelf *shelf;

    while (*link != NULL && (*link)->stack_class != stack_class)
        link = &(*link)->next;
    shelf = *link;
    if (shelf != NULL && shelf != pool->shelves) {
        *link = shelf->next;
        shelf->next = pool->shelves;
        pool->shelves = shelf;
    }
    return shelf;
}

bool moat_pool_has(struct moat_pool *pool,
                   const struct moat_stack_class *stack_class)
{
    const struct moat_shelf *shelf = find_shelf(pool, stack_class);

    return shelf != NULL && shelf->first != NULL;
}

static struct moat_shelf *shelf_for(struct moat_pool *pool,
                                    struct moat_stack_class *stack_class)
{
    struct moat_shelf *shelf = find_shelf(pool, stack_class);

    if (shelf != NULL)
        return shelf;
    shelf = calloc(1, sizeof *shelf);
    if (shelf == NULL)
        return NULL;
    shelf->stack_class = stack_class;
    shelf->next = pool->shelves;
    pool->shelves = shelf;
    return shelf;
}

/* Returns all but the `keep` newest slots of a shelf to their arenas. */
static void return_excess(struct moat_shelf *shelf, size_t keep)
{
    struct moat_slot **link = &shelf->first;
    struct moat_slot *first;

    for (size_t i = 0; i < keep && *link != NULL; i++)
        link = &(*link)->next;
    first = *link;
    if (first == NULL)
        return;
    *link = NULL;
    shelf->count = keep;
    moat_trim_return(first);
}

/* Makes the used slots free ones. */
static void settle(struct moat_shelf *shelf)
{
    struct moat_slot **link;

    if (shelf->used == NULL)
        return;
    if (shelf->count + shelf->used_count > MOAT_SHELF_SLOTS)
        return_excess(shelf, MOAT_SHELF_SLOTS / 2);
    moat_trim_stacks(shelf->used);
    if (shelf->scrub)
        shelf->used = moat_scrub(shelf->used);
    for (link = &shelf->used; *link != NULL; link = &(*link)->next)
        shelf->count++;
    *link = shelf->first;
    shelf->first = shelf->used;
    shelf->used = NULL;
    shelf->used_count = 0;
    shelf->scrub = false;
}

moat_status moat_pool_get(struct moat_pool *pool,
                          struct moat_stack_class *stack_class, size_t max,
                          struct moat_slot **out)
{
    struct moat_shelf *shelf = find_shelf(pool, stack_class);
    moat_status status;

    if (shelf == NULL || shelf->first == NULL) {
        /* Used ones wait until they are worth a system call. */
        status = moat_slots_take(stack_class, max, out);
        if (status == MOAT_OK || shelf == NULL)
            return status;
        settle(shelf);
        if (shelf->first == NULL)
            return status;
    }
    shelf->count -= moat_slots_split(&shelf->first, max, out);
    return MOAT_OK;
}

void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot)
{
    struct moat_shelf *shelf = shelf_for(pool, slot->arena->stack_class);

    if (shelf == NULL) {
        slot->next = NULL;
        moat_trim_return(slot);
        return;
    }
    if (shelf->count >= MOAT_SHELF_SLOTS)
        return_excess(shelf, MOAT_SHELF_SLOTS / 2);
    slot->next = shelf->first;
    shelf->first = slot;
    shelf->count++;
}

static void return_settled(struct moat_slot *slot, bool scrub)
{
    slot->next = NULL;
    moat_trim_stacks(slot);
    if (scrub)
        slot = moat_scrub(slot);
    if (slot != NULL)
        moat_trim_return(slot);
}

void moat_pool_put_used(struct moat_pool *pool, struct moat_slot *slot,
                        bool scrub)
{
    struct moat_shelf *shelf =
        pool != NULL ? shelf_for(pool, slot->arena->stack_class) : NULL;

    if (shelf == NULL) {
        return_settled(slot, scrub);
        return;
    }
    slot->next = shelf->used;
    shelf->used = slot;
    shelf->used_count++;
    shelf->scrub |= scrub;
    if (shelf->used_count >= MOAT_USED_SLOTS ||
        shelf->used_count * (slot->base - slot->limit) >= MOAT_USED_BYTES)
        settle(shelf);
}

void moat_pool_empty(struct moat_pool *pool)
{
    for (struct moat_shelf *shelf = pool->shelves; shelf != NULL;
         shelf = shelf->next) {
        settle(shelf);
        return_excess(shelf, 0);
    }
}

void moat_pool_move(struct moat_pool *to, struct moat_pool *from)
{
    struct moat_shelf **link = &to->shelves;

    while (*link != NULL)
        link = &(*link)->next;
    *link = from->shelves;
    from->shelves = NULL;
}

void moat_pool_forget(struct moat_pool *pool)
{
    while (pool->shelves != NULL) {
        struct moat_shelf *shelf = pool->shelves;

        pool->shelves = shelf->next;
        moat_free_later(shelf);
    }
}

void moat_pool_drain(struct moat_pool *pool)
{
    moat_pool_empty(pool);
    moat_pool_forget(pool);
}
