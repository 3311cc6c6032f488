/*
 * stack.h: the door to stack memory. Knows no coroutine.
 *
 * An arena is one reservation of address space that holds stacks of one class,
 * that is of one usable size and one guard size:
 *
 *   begin                                                                  end
 *   | entries | cold | ......... | slot 2 | slot 1 | slot 0 | last page |
 *                                /         \
 *                       guard | usable pages | colour
 *                       ^guard ^limit         ^base
 *
 * Slots are taken from the top downwards and become accessible about as they
 * are taken: as many again as there are already, 64 MiB at most at a time. The
 * stride is an odd number of pages: a power of two put the tops of all stacks
 * into the same cache sets, and a round robin over 100,000 took twice as long.
 * Base is coloured (moved down by a multiple of 64 bytes) for the same reason.
 * The last page is never accessible: a guest that writes past base ends there
 * or in the guard of the slot above.
 *
 * Each slot has two sidecars, off the stack: an entry, dense, for what each
 * resume touches, and a cold part that costs no memory until it is written.
 * Both belong to the caller; the slot itself lies in the entry at an offset
 * that the caller chose.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_STACK_H
#define MOAT_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/engine.h>
#include <moat/status.h>
#include <moat/trap.h>

struct moat_arena;
struct moat_stack_class;

/* A stack. On a list (`next`) only while it is free. */
struct moat_slot {
    uintptr_t base;  /* highest usable address, exclusive        */
    uintptr_t limit; /* lowest usable address                    */
    uintptr_t guard; /* lowest address of the guard              */
    struct moat_arena *arena;
    struct moat_slot *next;
};

/* --- arena.c: reservations -------------------------------------------------
 */

struct moat_arena_layout {
    size_t entry_bytes; /* a multiple of 64                        */
    size_t slot_offset; /* of struct moat_slot in the entry        */
    size_t cold_bytes;  /* a multiple of 64                        */
    moat_guard_kind guard;
    /* Told of each arena before a slot of it is taken; what it returns is the
     * call's result. NULL: nobody. */
    moat_status (*made)(uintptr_t begin, size_t bytes);
};

/* Once, before any other call; while arenas exist it must not change. */
void moat_arena_configure(const struct moat_arena_layout *asked);

/* Finds or makes the class of stacks with so many usable and guard bytes (both
 * whole pages). Any thread. */
moat_status moat_stack_class_get(size_t usable_bytes, size_t guard_bytes,
                                 struct moat_stack_class **out);

/* Takes a slot that no thread's pool holds: one given back, else a new one. Any
 * thread. The entry and the cold part of a new one are zero. */
moat_status moat_arena_take(struct moat_stack_class *stack_class,
                            struct moat_slot **out);

/* Gives a chain of slots (linked by next) of one class back to everybody. */
void moat_arena_give(struct moat_stack_class *stack_class,
                     struct moat_slot *first, struct moat_slot *last);

struct moat_stack_class *moat_slot_class(const struct moat_slot *slot);
void *moat_slot_entry(const struct moat_slot *slot);

/* Signal-safe: yes. */
void *moat_slot_cold(const struct moat_slot *slot);

/* Tells what an address is to the stack `own` (NULL: none). Signal-safe: yes.
 */
moat_region moat_arena_region(uintptr_t address, const struct moat_slot *own);

/* Does an arena lie in [begin, end), or a part of one? Signal-safe: yes. */
bool moat_arena_overlaps(uintptr_t begin, uintptr_t end);

/* Unmaps all arenas. No slot may be in use, no other thread may be at work. */
void moat_arena_release_all(void);

/* Around fork, so that the child finds the lists whole. */
void moat_arena_lock(void);
void moat_arena_unlock(void);

/* --- guard.c and its two kinds ---------------------------------------------
 */

/* Resolves MOAT_GUARD_AUTO by the environment and the kernel. */
moat_status moat_guard_choose(moat_guard_kind asked, moat_guard_kind *out);

bool moat_guard_madvise_works(void);
moat_status moat_guard_madvise_install(uintptr_t address, size_t bytes);

/* The same range as PROT_NONE, and accessible. */
moat_status moat_guard_mprotect_install(uintptr_t address, size_t bytes);
moat_status moat_guard_mprotect_open(uintptr_t address, size_t bytes);

/* --- pages.c: what is resident ---------------------------------------------
 */

/* Can the kernel be asked? */
bool moat_pages_known(void);

/* The lowest page in [low, high) that was ever touched; high if none was. */
moat_status moat_pages_lowest(uintptr_t low, uintptr_t high, uintptr_t *out);

/* Makes [low, high) read as zeros: keeps resident pages, or drops them. */
moat_status moat_pages_zero(uintptr_t low, uintptr_t high);
moat_status moat_pages_discard(uintptr_t low, uintptr_t high);

/* --- pool.c: a thread's free slots ------------------------------------------
 */

/* Invariants: each shelf holds slots of one class, newest first; a shelf holds
 * at most MOAT_SHELF_SLOTS. Used by one thread. */
#define MOAT_SHELF_SLOTS 1024

struct moat_shelf {
    struct moat_stack_class *stack_class;
    struct moat_slot *first;
    size_t count;
    struct moat_shelf *next;
};

struct moat_pool {
    struct moat_shelf *shelves; /* the one used last comes first */
};

moat_status moat_pool_get(struct moat_pool *pool,
                          struct moat_stack_class *stack_class,
                          struct moat_slot **out);

/* Cannot fail: what finds no shelf goes to everybody. */
void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot);

/* Gives everything back; the pool is empty and can be used again. */
void moat_pool_drain(struct moat_pool *pool);

#endif
