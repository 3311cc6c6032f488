/*
 * returned.h: blocks that came back from outside: from another thread, or from
 * the host, which must not touch a heap that a guest may have overwritten.
 *
 * They wait on a list beside the heap's region, until the guest takes them over
 * on its own stack. The list is lock-free: the guest may be stopped at any
 * instruction. What the guest has taken over stays on a second list, where the
 * next one who returns a block finds it, since a guest cannot free the host's
 * memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_RETURNED_H
#define MOAT_HEAP_RETURNED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moat_return {
    struct moat_return *next;
    void *block; /* NULL: it has been taken over */
};

/* Zeros: empty. */
struct moat_returned {
    _Atomic(struct moat_return *) pushed;
    atomic_uintptr_t taken; /* a struct moat_return *; bit 0: all of them have
                               been taken over                             */
};

static inline bool moat_returned_any(const struct moat_returned *returned)
{
    return atomic_load_explicit(&returned->pushed, memory_order_relaxed) !=
           NULL;
}

/* Any thread. False: no memory. */
bool moat_returned_push(struct moat_returned *returned, void *block);

/* Returns the list of what has been pushed, and of what was begun before. The
 * caller sets each `block` to NULL and then calls moat_returned_end. */
struct moat_return *moat_returned_begin(struct moat_returned *returned);
void moat_returned_end(struct moat_returned *returned);

/* Frees both lists. Nobody else uses them. */
void moat_returned_drop(struct moat_returned *returned);

#endif
