/*
 * trim.c: the memory of slots that nobody uses goes back to the system.
 *
 * What is dropped belongs to this thread alone while it is dropped: it is on no
 * list, and the lock is free. (A child that is forked meanwhile never has it.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/arena.h"
#include "stack/size.h"
#include "stack/stack.h"

static struct moat_trim_policy policy;

void moat_trim_configure(const struct moat_trim_policy *asked)
{
    policy = *asked;
    /* More than any stack has is no limit. */
    if (!moat_size_to_pages(policy.stack_bytes, &policy.stack_bytes))
        policy.stack_bytes = 0;
}

size_t moat_trim_stack_bytes(void)
{
    return policy.stack_bytes;
}

/* Ranges to be dropped; none is touched before there are many. */
struct batch {
    struct moat_pages ranges[MOAT_ADVICE_RANGES];
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
    if (batch->count == MOAT_ADVICE_RANGES)
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
    /* A stack that could not be cut is larger than it should be, no more. */
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

/* The stacks of a chain, and what of their cold parts is theirs alone. */
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

static size_t taken_of(const struct moat_arena *arena)
{
    return atomic_load_explicit(&arena->taken, memory_order_relaxed);
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

/* Page tables and sidecars of arenas that hold nothing else. */
static void empty_bare_arenas(void)
{
    for (struct moat_arena *each = newest_arena(); each != NULL;
         each = each->next) {
        if (each->bare != NULL && each->warm == NULL &&
            each->idle == taken_of(each))
            (void)moat_arena_empty(each);
    }
}

static bool fits(size_t bytes)
{
    return policy.free_bytes == 0 ||
           (bytes <= policy.free_bytes &&
            warm_bytes() <= policy.free_bytes - bytes);
}

void moat_trim_give(struct moat_slot *first)
{
    size_t bytes = 0, count = 1;
    bool kept, bare;

    if (policy.free_bytes != 0)
        bytes = resident_bytes(first, &count);
    moat_arena_lock();
    kept = fits(bytes);
    if (kept)
        moat_arena_link(first, false, bytes / count);
    moat_arena_unlock();
    if (kept)
        return;
    bare = drop(first) == MOAT_OK;
    moat_arena_lock();
    moat_arena_link(first, bare, bytes / count);
    empty_bare_arenas();
    moat_arena_unlock();
}

/* --- on demand ------------------------------------------------------------ */

/* Warm slots from the newest on, as long as `keep` lasts; gives the link to
 * those behind them. */
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

/* All slots of the arena are in the caller's hand, unless a new one is made
 * meanwhile: then nothing happens. */
static bool empty(struct moat_arena *arena, size_t *released)
{
    const struct moat_stack_class *stack_class = arena->stack_class;
    size_t taken = taken_of(arena), bytes;

    moat_arena_unlock();
    bytes = moat_pages_resident(arena->entries, arena->slots) +
            moat_pages_resident(arena->slots_end - taken * stack_class->stride,
                                arena->slots_end);
    moat_arena_lock();
    if (taken != taken_of(arena) || !moat_arena_empty(arena))
        return false;
    *released += bytes;
    return true;
}

static moat_status trim_arena(struct moat_arena *arena, size_t *keep,
                              size_t *released)
{
    bool all = arena->idle != 0 && arena->idle == taken_of(arena);
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
        moat_arena_link(bare, true, 0);
    }
    moat_arena_unlock();
    bytes = resident_bytes(first, &count);
    status = drop(first);
    moat_arena_lock();
    moat_arena_link(first, status == MOAT_OK, 0);
    if (status == MOAT_OK)
        *released += bytes;
    return status;
}

moat_status moat_trim(size_t keep, size_t *released)
{
    moat_status status = MOAT_OK;

    moat_arena_lock();
    for (struct moat_arena *each = newest_arena(); each != NULL;
         each = each->next) {
        if (trim_arena(each, &keep, released) != MOAT_OK)
            status = MOAT_E_SYSTEM;
    }
    moat_arena_unlock();
    return status;
}
