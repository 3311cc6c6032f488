/*
 * pool.h: the free slots that a thread keeps.
 *
 * A pool has a shelf for each class, the one used last first. A shelf holds at
 * most MOAT_SHELF_SLOTS free slots, newest first. Used slots wait until some of
 * them can be settled together, that is trimmed to what a free stack may keep
 * and scrubbed; then they are free. A pool is used by one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_POOL_H
#define MOAT_STACK_POOL_H

#include "stack/slot.h"

#define MOAT_SHELF_SLOTS 1024

/* At most so many used slots wait, by number and by the bytes of their stacks.
 */
#define MOAT_USED_SLOTS 64
#define MOAT_USED_BYTES ((size_t)16 << 20)

struct moat_shelf {
    struct moat_stack_class *stack_class;
    struct moat_slot *first;
    size_t count;
    struct moat_slot *used;
    size_t used_count;
    bool scrub; /* some of the used ones have to be scrubbed        */
    struct moat_shelf *next;
};

struct moat_pool {
    struct moat_shelf *shelves;
};

/* Takes a chain of `max` slots at most; on MOAT_OK there is one at least. */
moat_status moat_pool_get(struct moat_pool *pool,
                          struct moat_stack_class *stack_class, size_t max,
                          struct moat_slot **out);

/* Returns whether it has a free slot of the class. */
bool moat_pool_has(struct moat_pool *pool,
                   const struct moat_stack_class *stack_class);

/* Cannot fail: a slot for which there is no shelf goes to its arena. */
void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot);

/* The same for a slot that has to be settled first; pool: NULL for none. One
 * that cannot be scrubbed is lost. */
void moat_pool_put_used(struct moat_pool *pool, struct moat_slot *slot,
                        bool scrub);

/* Returns all slots to their arenas. Calls no heap, whose lock a dead guest may
 * hold. */
void moat_pool_empty(struct moat_pool *pool);

/* The same, and frees the shelves; the pool can be used again. */
void moat_pool_drain(struct moat_pool *pool);

/* Adds all that one pool has to another. The pool's thread has ended. */
void moat_pool_move(struct moat_pool *to, struct moat_pool *from);

/* Frees the shelves, but leaves the slots alone: all arenas are released. */
void moat_pool_forget(struct moat_pool *pool);

#endif
