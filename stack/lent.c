/*
 * lent.c: stacks in memory that the host lends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/lent.h"

#include <string.h>

#include "stack/annotate.h"
#include "sys/refusal.h"

#define LINE_BYTES ((uintptr_t)64)

/* The alignment of a stack pointer by the psABI. */
#define BASE_BYTES ((uintptr_t)16)

_Atomic(struct moat_arena *) moat_lents;

static __thread struct moat_lent *own_newest
    __attribute__((tls_model("initial-exec")));

static struct moat_lent *lent_of(struct moat_arena *arena)
{
    return (struct moat_lent *)arena;
}

static struct moat_arena *newest(void)
{
    return atomic_load_explicit(&moat_lents, memory_order_acquire);
}

/* --- layout --------------------------------------------------------------- */

static uintptr_t down_to(uintptr_t address, uintptr_t unit)
{
    return address & ~(unit - 1);
}

#define LENT_BYTES \
    ((sizeof(struct moat_lent) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES)

static uintptr_t up_to(uintptr_t address, uintptr_t unit)
{
    return down_to(address + unit - 1, unit);
}

/* Entry, cold part and description, each of them whole lines. */
static size_t record_bytes(void)
{
    return moat_arena_layout.entry_bytes + moat_arena_cold_bytes() + LENT_BYTES;
}

/* Alignment takes up to a line below the record, another above it, and the
 * base's and the limit's. */
_Static_assert(LENT_BYTES + LINE_BYTES + 2 * BASE_BYTES <= MOAT_LENT_BYTES,
               "lent memory needs more than its users are told");

static uintptr_t record_at(const struct moat_loan *loan)
{
    return down_to(loan->begin + loan->bytes - record_bytes(), LINE_BYTES);
}

static struct moat_lent *description_at(const struct moat_loan *loan)
{
    return (struct moat_lent *)(record_at(loan) +
                                moat_arena_layout.entry_bytes +
                                moat_arena_cold_bytes());
}

static void describe(struct moat_lent *lent, const struct moat_loan *loan,
                     const struct moat_slot *slot)
{
    struct moat_arena *arena = &lent->arena;

    lent->stack_class.usable_bytes = slot->base - slot->limit;
    lent->stack_class.guard_bytes = slot->limit - slot->guard;
    lent->stack_class.stride = slot->base - slot->guard;
    arena->stack_class = &lent->stack_class;
    arena->begin = loan->begin;
    arena->end = loan->begin + loan->bytes;
    arena->entries = record_at(loan);
    arena->cold = arena->entries + moat_arena_layout.entry_bytes;
    arena->slots = slot->guard;
    arena->slots_end = slot->base;
    arena->capacity = arena->committed = 1;
    arena->open = arena->lent = true;
    atomic_init(&arena->taken, 1);
}

static struct moat_slot *lay_out(const struct moat_loan *loan)
{
    struct moat_lent *lent = description_at(loan);
    uintptr_t entry = record_at(loan);
    struct moat_slot *slot =
        (struct moat_slot *)(entry + moat_arena_layout.slot_offset);

    memset((void *)entry, 0, record_bytes());
    slot->arena = &lent->arena;
    slot->guard = loan->begin;
    slot->limit = loan->begin + loan->guard_bytes;
    if (loan->guard_bytes == 0)
        slot->guard = slot->limit = up_to(loan->begin, BASE_BYTES);
    slot->base = down_to(entry - loan->name_bytes, BASE_BYTES);
    describe(lent, loan, slot);
    return slot;
}

/* --- lists ---------------------------------------------------------------- */

/* The chains of `next` and `older_own` are whole at any instruction: handlers
 * read the second, and the first is read while this thread is stopped. */
static void link_all(struct moat_lent *lent)
{
    struct moat_arena *next = newest();

    lent->arena.next = next;
    if (next != NULL)
        lent_of(next)->newer = lent;
    atomic_store_explicit(&moat_lents, &lent->arena, memory_order_release);
}

static void unlink_all(struct moat_lent *lent)
{
    struct moat_arena *next = lent->arena.next;

    if (lent->newer != NULL)
        lent->newer->arena.next = next;
    else
        atomic_store_explicit(&moat_lents, next, memory_order_release);
    if (next != NULL)
        lent_of(next)->newer = lent->newer;
}

static void link_own(struct moat_lent *lent)
{
    lent->older_own = own_newest;
    if (own_newest != NULL)
        own_newest->newer_own = lent;
    atomic_signal_fence(memory_order_seq_cst);
    own_newest = lent;
}

static void unlink_own(struct moat_lent *lent)
{
    if (lent->newer_own != NULL)
        lent->newer_own->older_own = lent->older_own;
    else
        own_newest = lent->older_own;
    if (lent->older_own != NULL)
        lent->older_own->newer_own = lent->newer_own;
    atomic_signal_fence(memory_order_seq_cst);
}

void moat_lent_leave(void)
{
    own_newest = NULL;
}

/* --- take and return ------------------------------------------------------ */

static const struct moat_arena *find(uintptr_t begin, uintptr_t end)
{
    const struct moat_arena *each = newest();

    while (each != NULL && (each->end <= begin || each->begin >= end))
        each = each->next;
    return each;
}

static moat_status check_apart(const struct moat_loan *loan)
{
    uintptr_t end = loan->begin + loan->bytes;

    if (find(loan->begin, end) != NULL)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_memory is %x, bytes %u: a "
                                  "coroutine lies there that has not been "
                                  "destroyed",
                                  loan->begin, loan->bytes);
    if (moat_arena_overlaps(loan->begin, end))
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->stack_memory is %x, bytes %u: "
                                  "moat's own stacks lie there",
                                  loan->begin, loan->bytes);
    return MOAT_OK;
}

static moat_status guard(const struct moat_loan *loan)
{
    if (loan->guard_bytes == 0)
        return MOAT_OK;
    return moat_memory_close(loan->begin, loan->guard_bytes);
}

static moat_status take(const struct moat_loan *loan, struct moat_slot **out)
{
    moat_status status = check_apart(loan);

    if (status == MOAT_OK)
        status = guard(loan);
    if (status != MOAT_OK)
        return status;
    *out = lay_out(loan);
    link_all(description_at(loan));
    link_own(description_at(loan));
    return MOAT_OK;
}

moat_status moat_lent_take(const struct moat_loan *loan, struct moat_slot **out)
{
    moat_status status;

    moat_lock(&moat_arena_lock);
    status = take(loan, out);
    moat_unlock(&moat_arena_lock);
    if (status == MOAT_OK)
        moat_annotate_stack((*out)->limit, (*out)->base);
    return moat_memory_refusal(status);
}

/* If the system refuses, which takes a process without mappings, the guard
 * stays: the host's next write there shows it. */
static void open_guard(const struct moat_arena *arena)
{
    if (arena->stack_class->guard_bytes != 0)
        (void)moat_memory_open(arena->begin, arena->stack_class->guard_bytes);
}

void moat_lent_return(const struct moat_slot *slot, bool own)
{
    struct moat_lent *lent = lent_of(slot->arena);

    moat_lock(&moat_arena_lock);
    unlink_all(lent);
    if (own)
        unlink_own(lent);
    open_guard(&lent->arena);
    moat_unlock(&moat_arena_lock);
}

void moat_lent_release_all(void)
{
    const struct moat_arena *each =
        atomic_exchange_explicit(&moat_lents, NULL, memory_order_acq_rel);

    own_newest = NULL;
    for (; each != NULL; each = each->next)
        open_guard(each);
}

/* --- addresses ------------------------------------------------------------ */

/* Finds this thread's that has an address. */
static const struct moat_lent *find_own(uintptr_t address)
{
    const struct moat_lent *each = own_newest;

    while (each != NULL &&
           address - each->arena.begin >= each->arena.end - each->arena.begin)
        each = each->older_own;
    return each;
}

static bool is_in_slot(const struct moat_arena *arena, uintptr_t address)
{
    return address - arena->slots < arena->slots_end - arena->slots;
}

const struct moat_slot *moat_slot_at(uintptr_t address)
{
    const struct moat_slot *slot = moat_arena_slot(address);
    const struct moat_lent *lent = slot == NULL ? find_own(address) : NULL;

    if (lent == NULL || !is_in_slot(&lent->arena, address))
        return slot;
    return (
        const struct moat_slot *)((uintptr_t)moat_arena_entry(&lent->arena, 0) +
                                  moat_arena_layout.slot_offset);
}

moat_region moat_region_at(uintptr_t address, const struct moat_slot *own)
{
    moat_region region = moat_arena_region(address, own);
    const struct moat_lent *lent =
        region == MOAT_REGION_UNKNOWN ? find_own(address) : NULL;

    if (lent == NULL)
        return region;
    if (!is_in_slot(&lent->arena, address))
        return MOAT_REGION_ARENA;
    return address - lent->arena.slots < lent->stack_class.guard_bytes
               ? MOAT_REGION_OTHER_GUARD
               : MOAT_REGION_OTHER_STACK;
}

bool moat_lent_overlaps(uintptr_t begin, uintptr_t end)
{
    bool overlaps;

    moat_lock(&moat_arena_lock);
    overlaps = find(begin, end) != NULL;
    moat_unlock(&moat_arena_lock);
    return overlaps;
}
