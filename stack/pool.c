/*
 * pool.c: the free slots that a thread keeps: last in, first out, no system
 * call.
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

moat_status moat_pool_get(struct moat_pool *pool,
                          struct moat_stack_class *stack_class,
                          struct moat_slot **out)
{
    struct moat_shelf *shelf = find_shelf(pool, stack_class);

    if (shelf == NULL || shelf->first == NULL)
        return moat_arena_take(stack_class, out);
    *out = shelf->first;
    shelf->first = (*out)->next;
    shelf->count--;
    (*out)->next = NULL;
    return MOAT_OK;
}

/* Gives the older half of a shelf to everybody, or all of it. */
static void give_back(struct moat_shelf *shelf, size_t keep)
{
    struct moat_slot **link = &shelf->first;
    struct moat_slot *first, *last;

    for (size_t i = 0; i < keep && *link != NULL; i++)
        link = &(*link)->next;
    first = *link;
    if (first == NULL)
        return;
    *link = NULL;
    for (last = first; last->next != NULL; last = last->next)
        continue;
    shelf->count = keep;
    moat_arena_give(shelf->stack_class, first, last);
}

void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot)
{
    struct moat_stack_class *stack_class = moat_slot_class(slot);
    struct moat_shelf *shelf = find_shelf(pool, stack_class);

    if (shelf == NULL)
        shelf = make_shelf(pool, stack_class);
    if (shelf == NULL) {
        moat_arena_give(stack_class, slot, slot);
        return;
    }
    if (shelf->count == MOAT_SHELF_SLOTS)
        give_back(shelf, MOAT_SHELF_SLOTS / 2);
    slot->next = shelf->first;
    shelf->first = slot;
    shelf->count++;
}

void moat_pool_drain(struct moat_pool *pool)
{
    while (pool->shelves != NULL) {
        struct moat_shelf *shelf = pool->shelves;

        give_back(shelf, 0);
        pool->shelves = shelf->next;
        free(shelf);
    }
}
