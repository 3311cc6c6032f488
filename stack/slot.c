/*
 * slot.c: hands out the slots of a class: makes them accessible, makes their
 * guards, and keeps the idle ones on the lists of their arenas.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/slot.h"

#include "stack/annotate.h"
#include "stack/arena.h"
#include "sys/guard.h"
#include "sys/supply.h"

#define COLOURS      32
#define COLOUR_BYTES 64

/* The most memory that is made accessible at a time. The call's cost does not
 * depend on the size. */
#define COMMIT_BYTES ((size_t)64 << 20)

/* --- sidecars ------------------------------------------------------------- */

static struct moat_slot *slot_at(const struct moat_arena *arena, size_t index)
{
    return (struct moat_slot *)((uintptr_t)moat_arena_entry(arena, index) +
                                moat_arena_layout.slot_offset);
}

void *moat_slot_entry(const struct moat_slot *slot)
{
    return (void *)((uintptr_t)slot - moat_arena_layout.slot_offset);
}

static size_t index_of(const struct moat_slot *slot)
{
    uintptr_t entry = (uintptr_t)moat_slot_entry(slot);

    return (entry - slot->arena->entries) / moat_arena_layout.entry_bytes;
}

void *moat_slot_cold(const struct moat_slot *slot)
{
    uintptr_t entry = (uintptr_t)moat_slot_entry(slot);

    return (void *)(slot->arena->cold + (entry - slot->arena->entries) *
                                            moat_arena_layout.cold_entries);
}

static bool has_stacks(const struct moat_arena *arena)
{
    return arena->stack_class->usable_bytes != 0;
}

/* --- new slots ------------------------------------------------------------ */

/* Doubles the accessible slots, so that a single coroutine has no accessible
 * memory below its own, and a million coroutines need few system calls. */
static size_t next_commit(const struct moat_arena *arena)
{
    size_t max = COMMIT_BYTES / arena->stack_class->stride + 1;
    size_t left = arena->capacity - arena->committed;
    size_t count = arena->committed + 1 < max ? arena->committed + 1 : max;

    return count < left ? count : left;
}

/* Where so many are refused, as under RLIMIT_DATA, fewer may not be. */
static moat_status commit(struct moat_arena *arena, size_t index)
{
    size_t stride = arena->stack_class->stride, count;
    uintptr_t high = arena->slots_end - arena->committed * stride;
    moat_status status = MOAT_E_GUARD_LIMIT;

    if (index < arena->committed)
        return MOAT_OK;
    for (count = next_commit(arena); count > 0; count /= 2) {
        status = moat_memory_open(high - count * stride, count * stride);
        if (status != MOAT_E_GUARD_LIMIT)
            break;
    }
    if (status == MOAT_OK)
        arena->committed += count;
    return status;
}

static uintptr_t guard_at(const struct moat_arena *arena, size_t index)
{
    return arena->slots_end - (index + 1) * arena->stack_class->stride;
}

/* A guard without marks is memory that stays inaccessible, so each stack takes
 * a system call of its own. */
static moat_status open_stacks(const struct moat_arena *arena, size_t first,
                               size_t *count)
{
    size_t guard_bytes = arena->stack_class->guard_bytes;
    size_t stack_bytes = arena->stack_class->stride - guard_bytes;
    moat_status status = MOAT_OK;
    size_t made = 0;

    while (made < *count && status == MOAT_OK) {
        status = moat_memory_open(guard_at(arena, first + made) + guard_bytes,
                                  stack_bytes);
        made += status == MOAT_OK;
    }
    *count = made;
    return made > 0 ? MOAT_OK : status;
}

static moat_status install_guards(struct moat_arena *arena, size_t first,
                                  size_t *count)
{
    struct moat_pages guards[MOAT_MAX_RANGES];
    moat_status status = commit(arena, first);

    if (status != MOAT_OK)
        return status;
    if (*count > arena->committed - first)
        *count = arena->committed - first;
    if (*count > MOAT_MAX_RANGES)
        *count = MOAT_MAX_RANGES;
    for (size_t i = 0; i < *count; i++) {
        guards[i].low = guard_at(arena, first + i);
        guards[i].high = guards[i].low + arena->stack_class->guard_bytes;
    }
    return moat_guard_mark(guards, count);
}

static void set_bounds(struct moat_slot *slot, size_t index)
{
    const struct moat_arena *arena = slot->arena;

    slot->guard = guard_at(arena, index);
    slot->limit = slot->guard + arena->stack_class->guard_bytes;
    slot->base = moat_slot_top(slot) - index % COLOURS * COLOUR_BYTES;
}

static struct moat_slot *fill_in(struct moat_arena *arena, size_t index)
{
    struct moat_slot *slot = slot_at(arena, index);

    slot->arena = arena;
    set_bounds(slot, index);
    if (has_stacks(arena))
        moat_annotate_stack(slot->limit, slot->base);
    return slot;
}

void moat_slot_restore(struct moat_slot *slot)
{
    set_bounds(slot, index_of(slot));
}

static moat_status make_accessible(struct moat_arena *arena, size_t first,
                                   size_t *count)
{
    if (!has_stacks(arena))
        return MOAT_OK;
    return moat_arena_layout.guard == MOAT_GUARD_MPROTECT
               ? open_stacks(arena, first, count)
               : install_guards(arena, first, count);
}

static moat_status take_new(struct moat_arena *arena, size_t max,
                            struct moat_slot **out)
{
    size_t first = moat_arena_taken(arena);
    size_t left = arena->capacity - first, count = max < left ? max : left;
    moat_status status = moat_arena_open(arena);

    if (status != MOAT_OK)
        return status;
    status = make_accessible(arena, first, &count);
    if (status != MOAT_OK)
        return status;
    for (size_t i = 0; i < count; i++, out = &(*out)->next)
        *out = fill_in(arena, first + i);
    *out = NULL;
    atomic_store_explicit(&arena->taken, first + count, memory_order_release);
    return MOAT_OK;
}

/* --- idle slots ----------------------------------------------------------- */

/* Puts the slots at the front of a chain that belong to one arena on a list of
 * it, in their order; returns the rest. */
static struct moat_slot *link_some(struct moat_slot *first, bool bare,
                                   size_t *count)
{
    struct moat_arena *arena = first->arena;
    struct moat_slot **list = bare ? &arena->bare : &arena->warm;
    struct moat_slot *last = first, *rest;

    for (*count = 1; last->next != NULL && last->next->arena == arena;
         (*count)++)
        last = last->next;
    rest = last->next;
    last->next = *list;
    *list = first;
    arena->idle += *count;
    return rest;
}

void moat_slots_link(struct moat_slot *first, bool bare, size_t each_bytes)
{
    while (first != NULL) {
        struct moat_arena *arena = first->arena;
        size_t count;

        first = link_some(first, bare, &count);
        if (bare)
            continue;
        arena->warm_slots += count;
        arena->warm_bytes += count * each_bytes;
    }
}

/* --- taking --------------------------------------------------------------- */

/* Only the sum of the warm slots' bytes is known; each slot counts as the mean.
 */
static void take_warm(struct moat_arena *arena, size_t max,
                      struct moat_slot **out)
{
    size_t mean = arena->warm_bytes / arena->warm_slots;
    size_t count = moat_slots_split(&arena->warm, max, out);

    arena->warm_bytes -= count * mean;
    arena->warm_slots -= count;
    arena->idle -= count;
}

/* Prefers warm slots, which have memory, then bare ones; a new one comes last,
 * since its guard has to be made. */
static moat_status take(struct moat_stack_class *stack_class, size_t max,
                        struct moat_slot **out)
{
    struct moat_arena *bare = NULL, *room = NULL;
    moat_status status = MOAT_E_NOMEM;

    for (struct moat_arena *each = stack_class->newest; each != NULL;
         each = each->older) {
        if (each->warm != NULL) {
            take_warm(each, max, out);
            return MOAT_OK;
        }
        if (bare == NULL && each->bare != NULL)
            bare = each;
        if (room == NULL && moat_arena_taken(each) < each->capacity)
            room = each;
    }
    if (bare != NULL) {
        bare->idle -= moat_slots_split(&bare->bare, max, out);
        return MOAT_OK;
    }
    if (room != NULL)
        status = take_new(room, max, out);
    /* An emptied arena may have become too large to be opened again. */
    if (room == NULL || (status == MOAT_E_NOMEM && !room->open)) {
        status = moat_arena_make(stack_class);
        if (status == MOAT_OK)
            status = take_new(stack_class->newest, max, out);
    }
    return status;
}

moat_status moat_slots_take(struct moat_stack_class *stack_class, size_t max,
                            struct moat_slot **out)
{
    moat_status status;

    do {
        moat_lock(&moat_arena_lock);
        status = take(stack_class, max, out);
        moat_unlock(&moat_arena_lock);
    } while (moat_supply_fill(status));
    return moat_memory_refusal(status);
}
