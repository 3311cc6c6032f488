/*
 * arena.h: the arena as arena.c keeps it, and as debuggers read it. Beside them
 * only scrub.c and trim.c look inside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_ARENA_H
#define MOAT_STACK_ARENA_H

#include <stdatomic.h>

#include "stack/stack.h"

struct moat_stack_class {
    struct moat_stack_class *next;
    size_t usable_bytes; /* as asked for                               */
    size_t guard_bytes;  /* at least what was asked for                */
    size_t asked_guard_bytes;
    size_t stride;             /* guard, usable pages, colour                */
    struct moat_arena *newest; /* of its arenas                              */
};

/* Idle slots are those that no thread has: `warm` as they were given back,
 * `bare` without a page of their own. Under the lock. */
struct moat_arena {
    struct moat_arena *next; /* all arenas, newest first                 */
    struct moat_stack_class *stack_class;
    uintptr_t begin, end;     /* the reservation                          */
    uintptr_t entries;        /* capacity entries                         */
    uintptr_t cold;           /* capacity cold parts                      */
    uintptr_t slots;          /* lowest address of the lowest slot        */
    uintptr_t slots_end;      /* highest address of slot 0, exclusive     */
    size_t capacity;          /* slots that fit                           */
    atomic_size_t taken;      /* slots 0..taken-1 have been handed out    */
    size_t committed;         /* slots that are accessible                */
    struct moat_arena *older; /* of the same class                        */
    struct moat_slot *warm;   /* given back last first                    */
    struct moat_slot *bare;
    size_t idle;       /* on both lists                            */
    size_t warm_slots; /* on the first, and what is known to be    */
    size_t warm_bytes; /* resident of them                         */
    bool open;         /* the sidecars are accessible              */
};

/* The newest one. */
extern _Atomic(struct moat_arena *) moat_arenas;

/* The end of a slot: page-aligned, its colour included. */
static inline uintptr_t moat_slot_top(const struct moat_slot *slot)
{
    return slot->guard + slot->arena->stack_class->stride;
}

/* Puts a chain of slots that are in no use on the lists of their arenas; with
 * the lock. `each_bytes`: so much is resident of a warm one. */
void moat_arena_link(struct moat_slot *first, bool bare, size_t each_bytes);

/* Gives all of an arena back to the system whose slots are all idle: page
 * tables, guards and sidecars, too. It can be taken from again. With the lock.
 * False: the system refused, and nothing has changed. */
bool moat_arena_empty(struct moat_arena *arena);

/* The slots at the front of a chain that are neighbours in memory, as one
 * range: it begins at the lowest one's limit and has the guards of the others
 * inside. Gives the first one behind them. */
struct moat_slot *moat_arena_run(const struct moat_slot *first,
                                 struct moat_pages *run);

/* The pages of such a run's cold parts that hold nobody else's; may be empty.
 */
struct moat_pages moat_arena_cold_run(const struct moat_arena *arena,
                                      const struct moat_pages *run);

#endif
