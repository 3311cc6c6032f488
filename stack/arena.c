/*
 * arena.c: reservations of address space and the slots in them. The mmap family
 * is called here and in guard_*.c and pages.c only.
 *
 * Locking: `lock` guards the lists of classes and free slots and the growth of
 * arenas. The list of arenas is also read by signal handlers, without the lock:
 * arenas are pushed at its front with a release store, never change their
 * bounds, and go away only in moat_arena_release_all. One that is emptied stays
 * on the list, and its addresses stay reserved; handlers look at the slots of
 * guests that run, and it has none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "stack/annotate.h"
#include "stack/arena.h"
#include "stack/size.h"

#define FIRST_CAPACITY 64
#define MAX_CAPACITY   262144
#define COLOURS        32
#define COLOUR_BYTES   64

/* Below this an arena's entries would not fill two huge pages. */
#define HUGE_LEAST_BYTES ((size_t)4 << 20)

/* Made accessible at a time, at most (facts: 1.2 us a call, whatever the size).
 */
#define COMMIT_BYTES ((size_t)64 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct moat_arena_layout layout;
static struct moat_stack_class *classes;
_Atomic(struct moat_arena *) moat_arenas;

void moat_arena_configure(const struct moat_arena_layout *asked)
{
    layout = *asked;
}

void moat_arena_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void moat_arena_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* One page more than asked for takes up the colour; one more for the guard,
 * where needed, makes the stride odd. */
static moat_status lay_out_class(struct moat_stack_class *stack_class)
{
    size_t stride;

    if (!moat_size_add(stack_class->usable_bytes, MOAT_PAGE_BYTES, &stride) ||
        !moat_size_add(stride, stack_class->guard_bytes, &stride) ||
        !moat_size_add(stride, MOAT_PAGE_BYTES, &stride))
        return MOAT_E_INVAL;
    stride -= MOAT_PAGE_BYTES;
    if (stride / MOAT_PAGE_BYTES % 2 == 0) {
        stride += MOAT_PAGE_BYTES;
        stack_class->guard_bytes += MOAT_PAGE_BYTES;
    }
    stack_class->stride = stride;
    return MOAT_OK;
}

static moat_status make_class(size_t usable_bytes, size_t guard_bytes,
                              struct moat_stack_class **out)
{
    struct moat_stack_class *made = calloc(1, sizeof *made);
    moat_status status;

    if (made == NULL)
        return MOAT_E_NOMEM;
    made->usable_bytes = usable_bytes;
    made->guard_bytes = guard_bytes;
    made->asked_guard_bytes = guard_bytes;
    status = lay_out_class(made);
    if (status != MOAT_OK) {
        free(made);
        return status;
    }
    made->next = classes;
    classes = made;
    *out = made;
    return MOAT_OK;
}

moat_status moat_stack_class_get(size_t usable_bytes, size_t guard_bytes,
                                 struct moat_stack_class **out)
{
    struct moat_stack_class *each;
    moat_status status = MOAT_OK;

    moat_arena_lock();
    for (each = classes; each != NULL; each = each->next) {
        if (each->usable_bytes == usable_bytes &&
            each->asked_guard_bytes == guard_bytes)
            break;
    }
    if (each != NULL)
        *out = each;
    else
        status = make_class(usable_bytes, guard_bytes, out);
    moat_arena_unlock();
    return status;
}

/* Places the parts in a reservation of `capacity` slots; gives its size. */
static bool place_parts(struct moat_arena *arena, size_t capacity,
                        size_t *bytes)
{
    size_t margin = moat_annotate_margin();
    size_t entries, cold, slots, sum;

    if (!moat_size_to_pages(capacity * layout.entry_bytes, &entries) ||
        !moat_size_to_pages(capacity * layout.cold_bytes, &cold) ||
        !moat_size_multiply(capacity, arena->stack_class->stride, &slots) ||
        !moat_size_add(slots, entries + cold + MOAT_PAGE_BYTES + 2 * margin,
                       &sum))
        return false;
    arena->capacity = capacity;
    arena->entries = margin;
    arena->cold = arena->entries + entries;
    arena->slots = arena->cold + cold;
    arena->slots_end = arena->slots + slots;
    *bytes = sum;
    return true;
}

/* Reserves as many slots as the address space grants, at least one. */
static moat_status reserve(struct moat_arena *arena, size_t capacity)
{
    size_t bytes;
    void *begin;

    for (; capacity > 0; capacity /= 2) {
        if (!place_parts(arena, capacity, &bytes))
            continue;
        begin = mmap(NULL, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
                     -1, 0);
        if (begin == MAP_FAILED)
            continue;
        arena->begin = (uintptr_t)begin;
        arena->end = arena->begin + bytes;
        arena->entries += arena->begin;
        arena->cold += arena->begin;
        arena->slots += arena->begin;
        arena->slots_end += arena->begin;
        return MOAT_OK;
    }
    return MOAT_E_NOMEM;
}

/* Of many coroutines each resume touches another entry: with huge pages the
 * entries' addresses are all in the TLB. It is an offer: a kernel that takes no
 * advice, or has no huge page left, costs time alone. */
static void advise_entries(const struct moat_arena *arena)
{
    size_t bytes = arena->capacity * layout.entry_bytes;

    if (bytes >= HUGE_LEAST_BYTES)
        (void)madvise((void *)arena->entries, bytes & ~(MOAT_PAGE_BYTES - 1),
                      MADV_HUGEPAGE);
}

/* Huge pages would make a stack's first touch cost 2 MiB. */
static moat_status open_sidecars(struct moat_arena *arena)
{
    if (arena->open)
        return MOAT_OK;
    if (madvise((void *)arena->begin, arena->end - arena->begin,
                MADV_NOHUGEPAGE) != 0 &&
        errno != EINVAL) /* EINVAL: a kernel built without huge pages */
        return MOAT_E_SYSTEM;
    if (mprotect((void *)arena->entries, arena->slots - arena->entries,
                 PROT_READ | PROT_WRITE) != 0)
        return errno == ENOMEM ? MOAT_E_NOMEM : MOAT_E_SYSTEM;
    advise_entries(arena);
    arena->open = true;
    return MOAT_OK;
}

static moat_status make_arena(struct moat_stack_class *stack_class)
{
    size_t capacity = FIRST_CAPACITY;
    struct moat_arena *arena = calloc(1, sizeof *arena);
    moat_status status;

    if (arena == NULL)
        return MOAT_E_NOMEM;
    if (stack_class->newest != NULL)
        capacity = stack_class->newest->capacity * 2;
    if (capacity > MAX_CAPACITY)
        capacity = MAX_CAPACITY;
    arena->stack_class = stack_class;
    arena->older = stack_class->newest;
    status = reserve(arena, capacity);
    if (status != MOAT_OK)
        goto free_arena;
    status = open_sidecars(arena);
    if (status == MOAT_OK && layout.made != NULL)
        status = layout.made(arena->begin, arena->end - arena->begin);
    if (status != MOAT_OK)
        goto unmap;
    stack_class->newest = arena;
    arena->next = atomic_load_explicit(&moat_arenas, memory_order_relaxed);
    atomic_store_explicit(&moat_arenas, arena, memory_order_release);
    return MOAT_OK;

unmap:
    (void)munmap((void *)arena->begin, arena->end - arena->begin);
free_arena:
    free(arena);
    return status;
}

static void *entry_at(const struct moat_arena *arena, size_t index)
{
    return (void *)(arena->entries + index * layout.entry_bytes);
}

static struct moat_slot *slot_in(void *entry)
{
    return (struct moat_slot *)((uintptr_t)entry + layout.slot_offset);
}

static size_t index_of(const struct moat_slot *slot)
{
    return ((uintptr_t)slot - layout.slot_offset - slot->arena->entries) /
           layout.entry_bytes;
}

/* Doubles what is accessible, so that a single coroutine has nothing accessible
 * below it, and a million cost few system calls. */
static moat_status commit(struct moat_arena *arena, size_t index)
{
    size_t stride = arena->stack_class->stride;
    size_t most = COMMIT_BYTES / stride + 1;
    size_t count = arena->committed + 1 < most ? arena->committed + 1 : most;
    uintptr_t high = arena->slots_end - arena->committed * stride;
    moat_status status;

    if (index < arena->committed)
        return MOAT_OK;
    if (count > arena->capacity - arena->committed)
        count = arena->capacity - arena->committed;
    status = moat_guard_mprotect_open(high - count * stride, count * stride);
    if (status == MOAT_OK)
        arena->committed += count;
    return status;
}

static uintptr_t guard_at(const struct moat_arena *arena, size_t index)
{
    return arena->slots_end - (index + 1) * arena->stack_class->stride;
}

/* A PROT_NONE guard is what is left as it was: a system call for each stack. */
static moat_status open_stacks(const struct moat_arena *arena, size_t first,
                               size_t *count)
{
    size_t guard_bytes = arena->stack_class->guard_bytes;
    size_t stack_bytes = arena->stack_class->stride - guard_bytes;
    moat_status status = MOAT_OK;
    size_t made = 0;

    while (made < *count && status == MOAT_OK) {
        status = moat_guard_mprotect_open(
            guard_at(arena, first + made) + guard_bytes, stack_bytes);
        made += status == MOAT_OK;
    }
    *count = made;
    return made > 0 ? MOAT_OK : status;
}

static moat_status install_guards(struct moat_arena *arena, size_t first,
                                  size_t *count)
{
    struct moat_pages guards[MOAT_ADVICE_RANGES];
    moat_status status = commit(arena, first);

    if (status != MOAT_OK)
        return status;
    if (*count > arena->committed - first)
        *count = arena->committed - first;
    if (*count > MOAT_ADVICE_RANGES)
        *count = MOAT_ADVICE_RANGES;
    for (size_t i = 0; i < *count; i++) {
        guards[i].low = guard_at(arena, first + i);
        guards[i].high = guards[i].low + arena->stack_class->guard_bytes;
    }
    return moat_guard_madvise_install(guards, count);
}

static struct moat_slot *fill_in(struct moat_arena *arena, size_t index)
{
    struct moat_slot *slot = slot_in(entry_at(arena, index));

    slot->arena = arena;
    slot->guard = guard_at(arena, index);
    slot->limit = slot->guard + arena->stack_class->guard_bytes;
    slot->base = moat_slot_top(slot) - index % COLOURS * COLOUR_BYTES;
    moat_annotate_stack(slot->limit, slot->base);
    return slot;
}

static moat_status take_new(struct moat_arena *arena, size_t most,
                            struct moat_slot **out)
{
    size_t first = atomic_load_explicit(&arena->taken, memory_order_relaxed);
    size_t left = arena->capacity - first, count = most < left ? most : left;
    moat_status status = open_sidecars(arena);

    if (status != MOAT_OK)
        return status;
    status = layout.guard == MOAT_GUARD_MPROTECT
                 ? open_stacks(arena, first, &count)
                 : install_guards(arena, first, &count);
    if (status != MOAT_OK)
        return status;
    for (size_t i = 0; i < count; i++, out = &(*out)->next)
        *out = fill_in(arena, first + i);
    *out = NULL;
    atomic_store_explicit(&arena->taken, first + count, memory_order_release);
    return MOAT_OK;
}

static bool has_room(const struct moat_arena *arena)
{
    return atomic_load_explicit(&arena->taken, memory_order_relaxed) <
           arena->capacity;
}

/* Of the warm slots' bytes nobody knows which slot has how many: one has the
 * mean. */
static void take_warm(struct moat_arena *arena, size_t most,
                      struct moat_slot **out)
{
    size_t mean = arena->warm_bytes / arena->warm_slots;
    size_t count = moat_slots_cut(&arena->warm, most, out);

    arena->warm_bytes -= count * mean;
    arena->warm_slots -= count;
    arena->idle -= count;
}

static void take_bare(struct moat_arena *arena, size_t most,
                      struct moat_slot **out)
{
    arena->idle -= moat_slots_cut(&arena->bare, most, out);
}

/* A slot that has memory is the best, a new one the worst: its guard has to be
 * made. */
static moat_status take(struct moat_stack_class *stack_class, size_t most,
                        struct moat_slot **out)
{
    struct moat_arena *bare = NULL, *room = NULL;
    moat_status status = MOAT_OK;

    for (struct moat_arena *each = stack_class->newest; each != NULL;
         each = each->older) {
        if (each->warm != NULL) {
            take_warm(each, most, out);
            return MOAT_OK;
        }
        if (bare == NULL && each->bare != NULL)
            bare = each;
        if (room == NULL && has_room(each))
            room = each;
    }
    if (bare != NULL) {
        take_bare(bare, most, out);
        return MOAT_OK;
    }
    if (room == NULL) {
        status = make_arena(stack_class);
        room = stack_class->newest;
    }
    return status == MOAT_OK ? take_new(room, most, out) : status;
}

moat_status moat_arena_take(struct moat_stack_class *stack_class, size_t most,
                            struct moat_slot **out)
{
    moat_status status;

    moat_arena_lock();
    status = take(stack_class, most, out);
    moat_arena_unlock();
    return status;
}

/* The slots at the front of a chain that are of one arena go onto a list of
 * it, in their order; gives the rest. */
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

void moat_arena_link(struct moat_slot *first, bool bare, size_t each_bytes)
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
    struct moat_pages cold;

    cold.low = arena->cold + first * layout.cold_bytes + MOAT_PAGE_BYTES - 1;
    cold.low &= ~(MOAT_PAGE_BYTES - 1);
    cold.high = arena->cold + end * layout.cold_bytes;
    cold.high &= ~(MOAT_PAGE_BYTES - 1);
    return cold;
}

/* A new reservation in place of the old one: the kernel takes the pages and
 * their tables away, and nobody else can get the addresses in between. What it
 * could refuse it refuses before it has changed anything, but for a structure
 * of its own, of some hundred bytes. */
bool moat_arena_empty(struct moat_arena *arena)
{
    size_t taken = atomic_load_explicit(&arena->taken, memory_order_relaxed);

    atomic_store_explicit(&arena->taken, 0, memory_order_release);
    if (mmap((void *)arena->begin, arena->end - arena->begin, PROT_NONE,
             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                 MAP_STACK,
             -1, 0) == MAP_FAILED) {
        atomic_store_explicit(&arena->taken, taken, memory_order_release);
        return false;
    }
    arena->open = false;
    arena->committed = 0;
    arena->warm = arena->bare = NULL;
    arena->idle = arena->warm_slots = arena->warm_bytes = 0;
    return true;
}

struct moat_stack_class *moat_slot_class(const struct moat_slot *slot)
{
    return slot->arena->stack_class;
}

void *moat_slot_entry(const struct moat_slot *slot)
{
    return (void *)((uintptr_t)slot - layout.slot_offset);
}

void *moat_slot_cold(const struct moat_slot *slot)
{
    return (void *)(slot->arena->cold + index_of(slot) * layout.cold_bytes);
}

static const struct moat_arena *find_arena(uintptr_t address)
{
    const struct moat_arena *arena =
        atomic_load_explicit(&moat_arenas, memory_order_acquire);

    while (arena != NULL && address - arena->begin >= arena->end - arena->begin)
        arena = arena->next;
    return arena;
}

static moat_region region_in(const struct moat_arena *arena, uintptr_t address)
{
    size_t stride = arena->stack_class->stride;
    size_t index, offset;

    if (address < arena->slots || address >= arena->slots_end)
        return MOAT_REGION_ARENA;
    index = (arena->slots_end - 1 - address) / stride;
    if (index >= atomic_load_explicit(&arena->taken, memory_order_acquire))
        return MOAT_REGION_ARENA;
    offset = (address - arena->slots) % stride;
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
    arena = find_arena(address);
    return arena != NULL ? region_in(arena, address) : MOAT_REGION_UNKNOWN;
}

bool moat_arena_overlaps(uintptr_t begin, uintptr_t end)
{
    const struct moat_arena *arena =
        atomic_load_explicit(&moat_arenas, memory_order_acquire);

    while (arena != NULL && (arena->end <= begin || arena->begin >= end))
        arena = arena->next;
    return arena != NULL;
}

void moat_arena_release_all(void)
{
    struct moat_arena *arena =
        atomic_exchange_explicit(&moat_arenas, NULL, memory_order_acq_rel);

    while (arena != NULL) {
        struct moat_arena *next = arena->next;

        (void)munmap((void *)arena->begin, arena->end - arena->begin);
        free(arena);
        arena = next;
    }
    while (classes != NULL) {
        struct moat_stack_class *next = classes->next;

        free(classes);
        classes = next;
    }
}
