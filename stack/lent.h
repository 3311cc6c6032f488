/*
 * lent.h: stacks in memory that the host lends, one at a time.
 *
 *   begin                                                               end
 *   | guard, if any | usable | name, if any | entry | cold | struct moat_lent |
 *   ^guard          ^limit   ^base
 *
 * Such memory is an arena with one slot: a walk over arenas, also that of a
 * debugger, finds the same fields in it. Nothing is allocated, and nothing of
 * it is left when it is returned.
 *
 * An arena of moat's own stays on its list for good, so that handlers may read
 * the list without a lock. Lent memory goes away. So it is on two lists of its
 * own: one of all, under the lock of arena.h, and one of the thread's, which
 * only this thread changes and only its handlers read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_LENT_H
#define MOAT_STACK_LENT_H

#include "stack/arena.h"

struct moat_lent {
    struct moat_arena arena; /* first: a list of arenas leads here */
    struct moat_stack_class stack_class;
    struct moat_lent *newer; /* of all                           */
    struct moat_lent *older_own, *newer_own; /* of the thread's */
};

/* The newest one of all; arena.next leads to the others. Changes under the
 * lock. */
extern _Atomic(struct moat_arena *) moat_lents;

/* The memory that a host lends. The guard is whole pages, and with a guard the
 * memory begins at a page. */
struct moat_loan {
    uintptr_t begin;
    size_t bytes;
    size_t guard_bytes;
    size_t name_bytes; /* with its terminating 0; 0: no name                  */
};

/* What the memory needs besides guard, usable bytes, name, entry and cold part,
 * wherever it begins and ends. */
#define MOAT_LENT_BYTES (sizeof(struct moat_lent) + (size_t)192)

/* Makes a slot of the memory, with a zeroed entry and cold part, and its guard.
 * MOAT_E_INVAL: it overlaps an arena or other memory that is lent;
 * MOAT_E_GUARD_LIMIT; MOAT_E_SYSTEM. */
moat_status moat_lent_take(const struct moat_loan *loan,
                           struct moat_slot **out);

/* Forgets a slot, and makes its guard accessible again. `own`: it was lent to
 * this thread. */
void moat_lent_return(const struct moat_slot *slot, bool own);

/* The memory that this thread was lent becomes that of no thread. */
void moat_lent_leave(void);

/* Opens all guards and empties the list. No other thread may be at work. */
void moat_lent_release_all(void);

/* As moat_arena_slot and moat_arena_region, and in the memory that was lent to
 * this thread, too. Signal-safe: yes. */
const struct moat_slot *moat_slot_at(uintptr_t address);
moat_region moat_region_at(uintptr_t address, const struct moat_slot *own);

/* Returns whether a part of any lent memory lies in [begin, end). Takes the
 * lock. */
bool moat_lent_overlaps(uintptr_t begin, uintptr_t end);

/* Returns where the name goes: name_bytes were asked for. */
static inline char *moat_lent_name(const struct moat_slot *slot)
{
    return (char *)slot->base;
}

static inline bool moat_slot_is_lent(const struct moat_slot *slot)
{
    return slot->arena->lent;
}

#endif
