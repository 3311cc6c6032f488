/*
 * slot.h: stacks of one size, handed out one by one or in chains.
 *
 * A class is the stacks of one usable size and one guard size. Its slots lie in
 * arenas (arena.h), with a sidecar of two parts for each, off the stack: an
 * entry, dense, for what each resume touches, and a cold part that costs no
 * memory until it is written. Both belong to the caller; the slot itself lies
 * in the entry at an offset that the caller chose.
 *
 *              | guard | usable pages           | colour |
 *              ^guard  ^limit                   ^base    ^top
 *
 * Base is coloured, that is moved down by a multiple of 64 bytes, and the
 * distance between two slots is an odd number of pages, for the same reason:
 * with a power of two the tops of all stacks would share a few cache sets, and
 * a round robin over 100,000 took twice as long.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_SLOT_H
#define MOAT_STACK_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

struct moat_arena;
struct moat_stack_class;

/* A stack. */
struct moat_slot {
    uintptr_t base;  /* highest usable address, exclusive        */
    uintptr_t limit; /* lowest usable address                    */
    uintptr_t guard; /* lowest address of the guard              */
    struct moat_arena *arena;
    union {
        struct moat_slot *next; /* on a list, while it is free             */
        void *user;             /* of the one who has it, while it is not  */
    };
};

/* Takes the first slots off a chain, `max` of them or all, and returns how
 * many those are. `max` is not 0, and the chain not empty. The walk waits for
 * each slot, so the tops of the stacks, which are written next, are fetched
 * meanwhile. */
static inline size_t moat_slots_split(struct moat_slot **chain, size_t max,
                                      struct moat_slot **out)
{
    struct moat_slot *last = *out = *chain;
    size_t count = 1;

    for (; count < max && last->next != NULL; count++) {
        last = last->next;
        __builtin_prefetch((const void *)(last->base - 64), 1);
    }
    *chain = last->next;
    last->next = NULL;
    return count;
}

/* Takes slots that no thread's pool holds, `max` at most and on MOAT_OK one at
 * least, as a chain: some that were returned, else new ones. The entry and the
 * cold part of a new one are zero, and the cold part of a returned one may be.
 * Any thread. */
moat_status moat_slots_take(struct moat_stack_class *stack_class, size_t max,
                            struct moat_slot **out);

/* Puts a chain of unused slots on the lists of their arenas, as bare (without a
 * page of their own) or warm, of which each has so many resident bytes. The
 * caller holds the lock of arena.h. */
void moat_slots_link(struct moat_slot *first, bool bare, size_t each_bytes);

/* Gives a slot of the class without stacks the bounds that it had when it was
 * taken. */
void moat_slot_restore(struct moat_slot *slot);

void *moat_slot_entry(const struct moat_slot *slot);

/* Signal-safe: yes. */
void *moat_slot_cold(const struct moat_slot *slot);

#endif
