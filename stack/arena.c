/*
 * arena.c: reservations of address space, and what lies where in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/arena.h"

#include "stack/annotate.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "sys/supply.h"

#define FIRST_CAPACITY 64
#define MAX_CAPACITY   262144

/* Below this an arena's entries would not fill two huge pages. */
#define MIN_HUGE_BYTES ((size_t)4 << 20)

pthread_mutex_t moat_arena_lock = PTHREAD_MUTEX_INITIALIZER;
static struct moat_stack_class *classes;
struct moat_arena_layout moat_arena_layout;
_Atomic(struct moat_arena *) moat_arenas;

/* --- classes -------------------------------------------------------------- */

/* One page more than asked for takes up the colour; one more for the guard,
 * where needed, makes the stride odd. */
static moat_status lay_out_class(struct moat_stack_class *stack_class)
{
    size_t page = moat_page_bytes(), stride;

    if (!moat_size_add(stack_class->usable_bytes, page, &stride) ||
        !moat_size_add(stride, stack_class->guard_bytes, &stride) ||
        !moat_size_add(stride, page, &stride))
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_bytes is %u and guard_bytes "
                                  "%u: together they exceed the address space",
                                  stack_class->usable_bytes,
                                  stack_class->guard_bytes);
    stride -= page;
    if (stride / page % 2 == 0) {
        stride += page;
        stack_class->guard_bytes += page;
    }
    stack_class->stride = stride;
    return MOAT_OK;
}

static moat_status make_class(size_t usable_bytes, size_t guard_bytes,
                              struct moat_stack_class **out)
{
    struct moat_stack_class *made = moat_supply_take(sizeof *made);
    moat_status status;

    if (made == NULL)
        return MOAT_E_NOMEM;
    made->usable_bytes = usable_bytes;
    made->guard_bytes = guard_bytes;
    made->asked_guard_bytes = guard_bytes;
    status = lay_out_class(made);
    if (status != MOAT_OK) {
        moat_free_later(made);
        return status;
    }
    made->next = classes;
    classes = made;
    *out = made;
    return MOAT_OK;
}

static struct moat_stack_class *find_class(size_t usable_bytes,
                                           size_t guard_bytes)
{
    struct moat_stack_class *each = classes;

    while (each != NULL && (each->usable_bytes != usable_bytes ||
                            each->asked_guard_bytes != guard_bytes))
        each = each->next;
    return each;
}

moat_status moat_stack_class_get(size_t usable_bytes, size_t guard_bytes,
                                 struct moat_stack_class **out)
{
    moat_status status;

    do {
        moat_lock(&moat_arena_lock);
        *out = find_class(usable_bytes, guard_bytes);
        status =
            *out != NULL ? MOAT_OK : make_class(usable_bytes, guard_bytes, out);
        moat_unlock(&moat_arena_lock);
    } while (moat_supply_fill(status));
    return status;
}

/* --- reservations --------------------------------------------------------- */

/* Lays out a reservation of `capacity` slots from its begin, which need not be
 * known yet, and computes its size. */
static bool lay_out_parts(struct moat_arena *arena, size_t capacity,
                          size_t *bytes)
{
    size_t margin = moat_annotate_margin();
    size_t entries, cold, slots, sum;

    if (!moat_size_to_pages(capacity * moat_arena_layout.entry_bytes,
                            &entries) ||
        !moat_size_to_pages(capacity * moat_arena_cold_bytes(), &cold) ||
        !moat_size_multiply(capacity, arena->stack_class->stride, &slots) ||
        !moat_size_add(slots, entries + cold + moat_page_bytes() + 2 * margin,
                       &sum))
        return false;
    arena->capacity = capacity;
    arena->entries = arena->begin + margin;
    arena->cold = arena->entries + entries;
    arena->slots = arena->cold + cold;
    arena->slots_end = arena->slots + slots;
    *bytes = sum;
    return true;
}

/* False: the address space has no room for so many slots. */
static bool reserve(struct moat_arena *arena, size_t capacity)
{
    size_t bytes;

    if (!lay_out_parts(arena, capacity, &bytes))
        return false;
    arena->begin = moat_memory_reserve(bytes);
    if (arena->begin == 0)
        return false;
    arena->end = arena->begin + bytes;
    (void)lay_out_parts(arena, capacity, &bytes);
    return true;
}

static void release(const struct moat_arena *arena)
{
    moat_memory_release(arena->begin, arena->end - arena->begin);
}

/* With many coroutines each resume touches another entry: with huge pages the
 * entries' addresses are all in the TLB. A system that takes no advice, or has
 * no huge page left, only costs time. */
static void advise_entries(const struct moat_arena *arena)
{
    size_t bytes = arena->capacity * moat_arena_layout.entry_bytes;

    if (bytes >= MIN_HUGE_BYTES)
        moat_memory_want_huge(arena->entries, moat_page_of(bytes));
}

/* Records that leave no room for a stack are of no use, where fewer may be. */
static moat_status try_a_stack(const struct moat_arena *arena)
{
    size_t bytes = arena->stack_class->stride;
    uintptr_t begin;
    moat_status status;

    if (moat_arena_layout.guard == MOAT_GUARD_MPROTECT)
        bytes -= arena->stack_class->guard_bytes;
    begin = arena->slots_end - bytes;
    status = moat_memory_open(begin, bytes);
    return status == MOAT_OK ? moat_memory_close(begin, bytes) : status;
}

static moat_status open_records(const struct moat_arena *arena)
{
    size_t bytes = arena->slots - arena->entries;
    moat_status status = moat_memory_open(arena->entries, bytes);

    if (status == MOAT_OK)
        status = try_a_stack(arena);
    if (status != MOAT_OK)
        (void)moat_memory_close(arena->entries, bytes);
    return status;
}

moat_status moat_arena_open(struct moat_arena *arena)
{
    moat_status status;

    if (arena->open)
        return MOAT_OK;
    /* Huge pages would make a stack's first touch cost 2 MiB. */
    status = moat_memory_forbid_huge(arena->begin, arena->end - arena->begin);
    if (status == MOAT_OK)
        status = open_records(arena);
    /* An arena that cannot be made is a want of memory. */
    if (status != MOAT_OK)
        return status == MOAT_E_GUARD_LIMIT ? MOAT_E_NOMEM : status;
    advise_entries(arena);
    arena->open = true;
    return MOAT_OK;
}

static size_t next_capacity(const struct moat_stack_class *stack_class)
{
    size_t capacity;

    if (stack_class->newest == NULL)
        return FIRST_CAPACITY;
    capacity = stack_class->newest->capacity * 2;
    return capacity < MAX_CAPACITY ? capacity : MAX_CAPACITY;
}

/* Makes as many slots as there is room for, in the address space and under the
 * process's limits on memory (RLIMIT_AS, RLIMIT_DATA), at least one. */
static moat_status reserve_and_open(struct moat_arena *arena, size_t capacity)
{
    moat_status status = MOAT_E_NOMEM;

    for (; capacity > 0 && status == MOAT_E_NOMEM; capacity /= 2) {
        if (!reserve(arena, capacity))
            continue;
        status = moat_arena_open(arena);
        if (status != MOAT_OK)
            release(arena);
    }
    return status;
}

moat_status moat_arena_make(struct moat_stack_class *stack_class)
{
    struct moat_arena *arena = moat_supply_take(sizeof *arena);
    moat_status status;

    if (arena == NULL)
        return MOAT_E_NOMEM;
    arena->stack_class = stack_class;
    arena->older = stack_class->newest;
    status = reserve_and_open(arena, next_capacity(stack_class));
    if (status != MOAT_OK)
        goto free_arena;
    if (moat_arena_layout.made != NULL)
        status =
            moat_arena_layout.made(arena->begin, arena->end - arena->begin);
    if (status != MOAT_OK)
        goto unmap;
    stack_class->newest = arena;
    arena->next = atomic_load_explicit(&moat_arenas, memory_order_relaxed);
    atomic_store_explicit(&moat_arenas, arena, memory_order_release);
    return MOAT_OK;

unmap:
    release(arena);
free_arena:
    moat_free_later(arena);
    return status;
}

bool moat_arena_empty(struct moat_arena *arena)
{
    size_t taken = moat_arena_taken(arena);

    atomic_store_explicit(&arena->taken, 0, memory_order_release);
    if (!moat_memory_renew(arena->begin, arena->end - arena->begin)) {
        atomic_store_explicit(&arena->taken, taken, memory_order_release);
        return false;
    }
    arena->open = false;
    arena->committed = 0;
    arena->warm = arena->bare = NULL;
    arena->idle = arena->warm_slots = arena->warm_bytes = 0;
    return true;
}

void moat_arena_release_all(void)
{
    struct moat_arena *arena =
        atomic_exchange_explicit(&moat_arenas, NULL, memory_order_acq_rel);

    while (arena != NULL) {
        struct moat_arena *next = arena->next;

        release(arena);
        moat_free_later(arena);
        arena = next;
    }
    while (classes != NULL) {
        struct moat_stack_class *next = classes->next;

        moat_free_later(classes);
        classes = next;
    }
}

/* --- addresses ------------------------------------------------------------ */

/* Finds an arena that has a part in [begin, end). */
static const struct moat_arena *find_arena(uintptr_t begin, uintptr_t end)
{
    const struct moat_arena *arena =
        atomic_load_explicit(&moat_arenas, memory_order_acquire);

    while (arena != NULL && (arena->end <= begin || arena->begin >= end))
        arena = arena->next;
    return arena;
}

/* Returns which slot the address lies in; false: in none that was taken. */
static bool find_index(const struct moat_arena *arena, uintptr_t address,
                       size_t *index)
{
    if (address < arena->slots || address >= arena->slots_end)
        return false;
    *index = (arena->slots_end - 1 - address) / arena->stack_class->stride;
    return *index < atomic_load_explicit(&arena->taken, memory_order_acquire);
}

static moat_region region_in(const struct moat_arena *arena, uintptr_t address)
{
    size_t index, offset;

    if (!find_index(arena, address, &index))
        return MOAT_REGION_ARENA;
    offset = (address - arena->slots) % arena->stack_class->stride;
    return offset < arena->stack_class->guard_bytes ? MOAT_REGION_OTHER_GUARD
                                                    : MOAT_REGION_OTHER_STACK;
}

moat_region moat_arena_region(uintptr_t address, const struct moat_slot *own)
{
    const struct moat_arena *arena;

    if (own != NULL && address - own->guard < own->limit - own->guard)
        return MOAT_REGION_OWN_GUARD;
    if (own != NULL && address - own->limit < own->base - own->limit)
        return MOAT_REGION_OWN_STACK;
    arena = find_arena(address, address + 1);
    return arena != NULL ? region_in(arena, address) : MOAT_REGION_UNKNOWN;
}

const struct moat_slot *moat_arena_slot(uintptr_t address)
{
    const struct moat_arena *arena = find_arena(address, address + 1);
    size_t index;

    if (arena == NULL || !arena->open || !find_index(arena, address, &index))
        return NULL;
    return (
        const struct moat_slot *)((uintptr_t)moat_arena_entry(arena, index) +
                                  moat_arena_layout.slot_offset);
}

bool moat_arena_overlaps(uintptr_t begin, uintptr_t end)
{
    return find_arena(begin, end) != NULL;
}

struct moat_slot *moat_arena_run(const struct moat_slot *first,
                                 struct moat_pages *run)
{
    const struct moat_stack_class *stack_class = first->arena->stack_class;
    uintptr_t low = first->guard, high = moat_slot_top(first);
    struct moat_slot *rest;

    for (rest = first->next; rest != NULL && rest->arena == first->arena;
         rest = rest->next) {
        if (rest->guard == high)
            high = moat_slot_top(rest);
        else if (moat_slot_top(rest) == low)
            low = rest->guard;
        else
            break;
    }
    run->low = low + stack_class->guard_bytes;
    run->high = high;
    return rest;
}

/* Slot 0 is the highest, its sidecars the lowest. */
struct moat_pages moat_arena_cold_run(const struct moat_arena *arena,
                                      const struct moat_pages *run)
{
    const struct moat_stack_class *stack_class = arena->stack_class;
    size_t first = (arena->slots_end - run->high) / stack_class->stride;
    uintptr_t guard = run->low - stack_class->guard_bytes;
    size_t end = (arena->slots_end - guard) / stack_class->stride;
    size_t cold_bytes = moat_arena_cold_bytes();
    struct moat_pages cold;

    cold.low =
        moat_page_of(arena->cold + first * cold_bytes + moat_page_bytes() - 1);
    cold.high = moat_page_of(arena->cold + end * cold_bytes);
    return cold;
}
