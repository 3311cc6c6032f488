/*
 * pool.c: the free slots that a thread keeps: last in, first out, no system
 * call but for those that have to be settled, some at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "stack/stack.h"

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

static struct moat_shelf *make_shelf(struct moat_pool *pool,
                                     struct moat_stack_class *stack_class)
{
    struct moat_shelf *shelf = calloc(1, sizeof *shelf);

    if (shelf == NULL)
        return NULL;
    shelf->stack_class = stack_class;
    shelf->next = pool->shelves;
    pool->shelves = shelf;
    return shelf;
}

/* Gives the older ones of a shelf to everybody, or all of them. */
static void give_back(struct moat_shelf *shelf, size_t keep)
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
    moat_trim_give(first);
}

/* The used slots can be had from here on. */
static void settle(struct moat_shelf *shelf)
{
    struct moat_slot **link;

    if (shelf->used == NULL)
        return;
    if (shelf->count + shelf->used_count > MOAT_SHELF_SLOTS)
        give_back(shelf, MOAT_SHELF_SLOTS / 2);
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
                          struct moat_stack_class *stack_class, size_t most,
                          struct moat_slot **out)
{
    struct moat_shelf *shelf = find_shelf(pool, stack_class);
    moat_status status;

    if (shelf == NULL || shelf->first == NULL) {
        /* Used ones wait until there are enough of them to be worth it. */
        status = moat_arena_take(stack_class, most, out);
        if (status == MOAT_OK || shelf == NULL)
            return status;
        settle(shelf);
        if (shelf->first == NULL)
            return status;
    }
    shelf->count -= moat_slots_cut(&shelf->first, most, out);
    return MOAT_OK;
}

static struct moat_shelf *shelf_for(struct moat_pool *pool,
                                    struct moat_stack_class *stack_class)
{
    struct moat_shelf *shelf = find_shelf(pool, stack_class);

    return shelf != NULL ? shelf : make_shelf(pool, stack_class);
}

void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot)
{
    struct moat_shelf *shelf = shelf_for(pool, moat_slot_class(slot));

    if (shelf == NULL) {
        slot->next = NULL;
        moat_trim_give(slot);
        return;
    }
    if (shelf->count >= MOAT_SHELF_SLOTS)
        give_back(shelf, MOAT_SHELF_SLOTS / 2);
    slot->next = shelf->first;
    shelf->first = slot;
    shelf->count++;
}

static void give_settled(struct moat_slot *slot, bool scrub)
{
    slot->next = NULL;
    moat_trim_stacks(slot);
    if (scrub)
        slot = moat_scrub(slot);
    if (slot != NULL)
        moat_trim_give(slot);
}

void moat_pool_put_used(struct moat_pool *pool, struct moat_slot *slot,
                        bool scrub)
{
    struct moat_shelf *shelf =
        pool != NULL ? shelf_for(pool, moat_slot_class(slot)) : NULL;

    if (shelf == NULL) {
        give_settled(slot, scrub);
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
        give_back(shelf, 0);
    }
}

void moat_pool_drain(struct moat_pool *pool)
{
    moat_pool_empty(pool);
    while (pool->shelves != NULL) {
        struct moat_shelf *shelf = pool->shelves;

        pool->shelves = shelf->next;
        free(shelf);
    }
}
