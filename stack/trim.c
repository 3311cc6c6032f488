/*
 * trim.c: returns the memory of unused slots to the system.
 *
 * While their pages are dropped, slots are on no list and belong to this thread
 * alone, and the lock is free. A child that is forked meanwhile loses them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/trim.h"

#include "stack/arena.h"
#include "sys/pages.h"
#include "sys/size.h"

static struct moat_trim_policy policy;

void moat_trim_configure(const struct moat_trim_policy *asked)
{
    policy = *asked;
    /* A limit beyond the address space is none. */
    if (!moat_size_to_pages(policy.stack_bytes, &policy.stack_bytes))
        policy.stack_bytes = 0;
}

size_t moat_trim_stack_bytes(void)
{
    return policy.stack_bytes;
}

/* Ranges to be dropped, many in one call. */
struct batch {
    struct moat_pages ranges[MOAT_MAX_RANGES];
    size_t count;
    moat_status status;
};

static void flush(struct batch *batch)
{
    if (batch->count == 0)
        return;
    if (moat_pages_drop(batch->ranges, batch->count) != MOAT_OK)
        batch->status = MOAT_E_SYSTEM;
    batch->count = 0;
}

static void add(struct batch *batch, struct moat_pages range)
{
    if (range.low >= range.high)
        return;
    batch->ranges[batch->count++] = range;
    if (batch->count == MOAT_MAX_RANGES)
        flush(batch);
}

void moat_trim_stacks(const struct moat_slot *first)
{
    struct batch batch = {.count = 0};

    if (policy.stack_bytes == 0)
        return;
    for (; first != NULL; first = first->next) {
        uintptr_t top = moat_slot_top(first);

        if (top - first->limit > policy.stack_bytes)
            add(&batch,
                (struct moat_pages){first->limit, top - policy.stack_bytes});
    }
    /* If that fails, stacks only stay larger than they should be. */
    flush(&batch);
}

static size_t resident_bytes(const struct moat_slot *first, size_t *count)
{
    size_t bytes = 0;

    *count = 0;
    for (const struct moat_slot *each = first; each != NULL; each = each->next)
        ++*count;
    while (first != NULL) {
        struct moat_pages run;

        first = moat_arena_run(first, &run);
        bytes += moat_pages_resident(run.low, run.high);
    }
    return bytes;
}

/* Drops the stacks of a chain, and the pages of their cold parts that no other
 * slot shares. */
static moat_status drop(const struct moat_slot *first)
{
    struct batch batch = {.count = 0, .status = MOAT_OK};

    while (first != NULL) {
        const struct moat_arena *arena = first->arena;
        struct moat_pages run;

        first = moat_arena_run(first, &run);
        add(&batch, run);
        add(&batch, moat_arena_cold_run(arena, &run));
    }
    flush(&batch);
    return batch.status;
}

static struct moat_arena *newest_arena(void)
{
    return atomic_load_explicit(&moat_arenas, memory_order_acquire);
}

/* --- by the policy -------------------------------------------------------- */

static size_t warm_bytes(void)
{
    size_t bytes = 0;

    for (struct moat_arena *each = newest_arena(); each != NULL;
         each = each->next)
        bytes += each->warm_bytes;
    return bytes;
}

/* Returns the page tables and sidecars of arenas that hold nothing else. */
static void empty_bare_arenas(void)
{
    for (struct moat_arena *each = newest_arena(); each != NULL;
         each = each->next) {
        if (each->bare != NULL && each->warm == NULL &&
            each->idle == moat_arena_taken(each))
            (void)moat_arena_empty(each);
    }
}

static bool fits(size_t bytes)
{
    return policy.free_bytes == 0 ||
           (bytes <= policy.free_bytes &&
            warm_bytes() <= policy.free_bytes - bytes);
}

void moat_trim_return(struct moat_slot *first)
{
    size_t bytes = 0, count = 1;
    bool kept, bare;

    if (policy.free_bytes != 0)
        bytes = resident_bytes(first, &count);
    moat_lock(&moat_arena_lock);
    kept = fits(bytes);
    if (kept)
        moat_slots_link(first, false, bytes / count);
    moat_unlock(&moat_arena_lock);
    if (kept)
        return;
    bare = drop(first) == MOAT_OK;
    moat_lock(&moat_arena_lock);
    moat_slots_link(first, bare, bytes / count);
    empty_bare_arenas();
    moat_unlock(&moat_arena_lock);
}

/* --- on demand ------------------------------------------------------------ */

/* Keeps warm slots from the newest on, as long as `keep` lasts; returns the
 * link to the rest. */
static struct moat_slot **keep_some(struct moat_arena *arena, size_t *keep)
{
    struct moat_slot **link = &arena->warm;
    size_t count = 0, bytes = 0;

    while (*link != NULL && *keep != 0) {
        size_t resident =
            moat_pages_resident((*link)->limit, moat_slot_top(*link));

        if (resident > *keep) {
            *keep = 0;
            break;
        }
        *keep -= resident;
        bytes += resident;
        count++;
        link = &(*link)->next;
    }
    arena->idle -= arena->warm_slots - count;
    arena->warm_slots = count;
    arena->warm_bytes = bytes;
    return link;
}

/* Empties an arena whose slots the caller has all taken. If a new one is made
 * meanwhile, nothing happens. */
static bool empty(struct moat_arena *arena, size_t *released)
{
    const struct moat_stack_class *stack_class = arena->stack_class;
    size_t taken = moat_arena_taken(arena), bytes;

    moat_unlock(&moat_arena_lock);
    bytes = moat_pages_resident(arena->entries, arena->slots) +
            moat_pages_resident(arena->slots_end - taken * stack_class->stride,
                                arena->slots_end);
    moat_lock(&moat_arena_lock);
    if (taken != moat_arena_taken(arena) || !moat_arena_empty(arena))
        return false;
    *released += bytes;
    return true;
}

static moat_status trim_arena(struct moat_arena *arena, size_t *keep,
                              size_t *released)
{
    bool all = arena->idle != 0 && arena->idle == moat_arena_taken(arena);
    struct moat_slot **link = keep_some(arena, keep);
    struct moat_slot *first = *link, *bare = NULL;
    moat_status status;
    size_t bytes, count;

    *link = NULL;
    if (all && arena->warm == NULL) {
        bare = arena->bare;
        arena->bare = NULL;
        arena->idle = 0;
        if (empty(arena, released))
            return MOAT_OK;
        moat_slots_link(bare, true, 0);
    }
    moat_unlock(&moat_arena_lock);
    bytes = resident_bytes(first, &count);
    status = drop(first);
    moat_lock(&moat_arena_lock);
    moat_slots_link(first, status == MOAT_OK, 0);
    if (status == MOAT_OK)
        *released += bytes;
    return status;
}

moat_status moat_trim(size_t keep, size_t *released)
{
    moat_status status = MOAT_OK;

    moat_lock(&moat_arena_lock);
    for (struct moat_arena *each = newest_arena(); each != NULL;
         each = each->next) {
        if (trim_arena(each, &keep, released) != MOAT_OK)
            status = MOAT_E_SYSTEM;
    }
    moat_unlock(&moat_arena_lock);
    return status;
}
