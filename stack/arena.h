/*
 * arena.h: reservations of address space for the slots of one class.
 *
 *   begin                                                                  end
 *   | entries | cold | ......... | slot 2 | slot 1 | slot 0 | last page |
 *                                /         \
 *                       guard | usable pages | colour
 *                       ^guard ^limit         ^base
 *
 * Slots are taken from the top downwards and become accessible about as they
 * are taken: as many again as there are already, 64 MiB at most at a time. The
 * last page is never accessible: a guest that writes past base ends there or in
 * the guard of the slot above.
 *
 * Locking: the lock below guards the lists of classes and free slots and the
 * growth of arenas. The list of arenas is also read by signal handlers, without
 * the lock: arenas are pushed at its front with a release store, never change
 * their bounds, and go away only in moat_arena_release_all. One that is emptied
 * stays on the list, and its addresses stay reserved; handlers look at the
 * slots of running guests, and it has none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_ARENA_H
#define MOAT_STACK_ARENA_H

#include <stdatomic.h>

#include <moat/engine.h>
#include <moat/trap.h>

#include "stack/slot.h"
#include "sys/lock.h"
#include "sys/memory.h"

struct moat_arena_layout {
    size_t entry_bytes;  /* a multiple of 64                       */
    size_t slot_offset;  /* of struct moat_slot in the entry       */
    size_t cold_entries; /* the cold part's size, in entries       */
    moat_guard_kind guard;
    /* Called with each arena before a slot of it is taken; its result is that
     * of the call that made the arena. May be NULL. */
    moat_status (*made)(uintptr_t begin, size_t bytes);
};

/* The class of 0 usable bytes has no stacks, only entries and cold parts: the
 * addresses of its slots stay inaccessible. */
struct moat_stack_class {
    struct moat_stack_class *next;
    size_t usable_bytes; /* as asked for                               */
    size_t guard_bytes;  /* at least what was asked for                */
    size_t asked_guard_bytes;
    size_t stride;             /* guard, usable pages, colour                */
    struct moat_arena *newest; /* of its arenas                              */
};

/* Idle slots are those that no thread has: `warm` as they were returned, `bare`
 * without a page of their own. Under the lock. */
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
    struct moat_slot *warm;   /* returned last first                      */
    struct moat_slot *bare;
    size_t idle;       /* on both lists                            */
    size_t warm_slots; /* on the first, and the bytes that are     */
    size_t warm_bytes; /* known to be resident of them             */
    bool open;         /* the sidecars are accessible              */
    bool lent;         /* memory of the host's: lent.h             */
};

/* The newest one. */
extern _Atomic(struct moat_arena *) moat_arenas;

/* Of all arenas. Set before any call; while arenas exist it must not change. */
extern struct moat_arena_layout moat_arena_layout;

/* The lock of all lists; also held around fork, so that the child finds them
 * whole. */
extern pthread_mutex_t moat_arena_lock;

/* Finds or makes the class of stacks with so many usable and guard bytes (both
 * whole pages). Any thread. */
moat_status moat_stack_class_get(size_t usable_bytes, size_t guard_bytes,
                                 struct moat_stack_class **out);

/* Reserves a further arena for a class, its newest, twice as large as the one
 * before or as large as the system permits. With the lock. */
moat_status moat_arena_make(struct moat_stack_class *stack_class);

/* Makes the sidecars accessible, if they are not. With the lock. */
moat_status moat_arena_open(struct moat_arena *arena);

/* Returns a whole arena, whose slots are all idle, to the system: page tables,
 * guards and sidecars, too. Slots can be taken from it again. With the lock.
 * False: the system refused, and nothing has changed. */
bool moat_arena_empty(struct moat_arena *arena);

/* Unmaps all arenas. No slot may be in use, no other thread may be at work. */
void moat_arena_release_all(void);

/* Finds what an address is to the stack `own` (NULL: none). Signal-safe: yes.
 */
moat_region moat_arena_region(uintptr_t address, const struct moat_slot *own);

static inline size_t moat_arena_cold_bytes(void)
{
    return moat_arena_layout.cold_entries * moat_arena_layout.entry_bytes;
}

/* Finds the slot that has an address, guard and colour included, and has been
 * taken; it may be free by now. NULL: there is none. Signal-safe: yes. */
const struct moat_slot *moat_arena_slot(uintptr_t address);

/* Returns whether a part of an arena lies in [begin, end). Signal-safe: yes. */
bool moat_arena_overlaps(uintptr_t begin, uintptr_t end);

/* Returns the entry of a slot by its number. Signal-safe: yes. */
static inline void *moat_arena_entry(const struct moat_arena *arena,
                                     size_t index)
{
    return (void *)(arena->entries + index * moat_arena_layout.entry_bytes);
}

/* Under the lock. */
static inline size_t moat_arena_taken(const struct moat_arena *arena)
{
    return atomic_load_explicit(&arena->taken, memory_order_relaxed);
}

/* The end of a slot: page-aligned, its colour included. */
static inline uintptr_t moat_slot_top(const struct moat_slot *slot)
{
    return slot->guard + slot->arena->stack_class->stride;
}

/* Finds the slots at the front of a chain that are neighbours in memory, as one
 * range: it begins at the lowest one's limit and has the guards of the others
 * inside. Returns the first slot after them. */
struct moat_slot *moat_arena_run(const struct moat_slot *first,
                                 struct moat_pages *run);

/* The pages of such a run's cold parts that no other slot shares; may be empty.
 */
struct moat_pages moat_arena_cold_run(const struct moat_arena *arena,
                                      const struct moat_pages *run);

#endif
