/*
 * guest_blocks.c: blocks of the heap of the guest on whose stack the caller
 * runs.
 *
 * An allocator that replaces malloc comes here for each call of a guest. So
 * what is nearly always so is asked first, by the record's own words: the
 * thread is on the running coroutine's stack, no section is open, there is a
 * heap, and the block is small.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/allocator.h>

#include "engine/coroutine.h"
#include "heap/small.h"

/* Returns the heap of the running guest if it is clear that the guest itself
 * calls; NULL: moat_guest_heap knows. */
static inline moat_heap *clear_heap(void)
{
    const struct co *co = moat_running();
    uintptr_t sp = MOAT_ARCH_STACK_POINTER();

    if (MOAT_UNLIKELY(co == NULL || (co->control.flags & CO_SECTIONS) != 0 ||
                      sp - co->slot.limit >= co->slot.base - co->slot.limit))
        return NULL;
    return moat_heap_of_co(co);
}

/* The same for all callers. NULL: a host, or a guest without a heap. */
static moat_heap *find_heap(void)
{
    moat_heap *heap = NULL;

    return moat_guest_heap(&heap, 0) == MOAT_OK ? heap : NULL;
}

static __attribute__((noinline)) void *alloc_slowly(size_t bytes)
{
    moat_heap *heap = find_heap();

    return heap != NULL ? moat_heap_alloc(heap, bytes) : NULL;
}

void *moat_guest_alloc(size_t bytes)
{
    moat_heap *heap = clear_heap();
    void *block;

    if (MOAT_UNLIKELY(heap == NULL))
        return alloc_slowly(bytes);
    if (MOAT_LIKELY(bytes <= MOAT_HEAP_MAX_PLAIN)) {
        block = moat_small_take(heap, moat_heap_plain_class_of(bytes));
        if (MOAT_LIKELY(block != NULL))
            return block;
    }
    return moat_heap_alloc(heap, bytes);
}

static bool is_block_of(const moat_heap *heap, const void *pointer)
{
    return heap != NULL && moat_heap_may_own(pointer) &&
           moat_heap_of(pointer) == heap;
}

static __attribute__((noinline)) bool free_slowly(void *pointer)
{
    moat_heap *heap = find_heap();

    if (!is_block_of(heap, pointer))
        return false;
    moat_heap_free(heap, pointer);
    return true;
}

static __attribute__((noinline)) bool free_in(moat_heap *heap, void *pointer)
{
    moat_heap_free(heap, pointer);
    return true;
}

static __attribute__((noinline)) bool settle(moat_heap *heap,
                                             struct moat_span *span)
{
    moat_small_settle(heap, span);
    return true;
}

/* What is rare is done by functions that it ends in, so that it has no
 * registers to save. */
bool moat_guest_free(void *pointer)
{
    moat_heap *heap = clear_heap();
    struct moat_place place;
    size_t unit;

    if (MOAT_UNLIKELY(heap == NULL || !moat_small_may_own(heap, pointer)))
        return free_slowly(pointer);
    place = moat_small_place(heap, pointer);
    if (MOAT_UNLIKELY(place.span->kind != MOAT_SPAN_SMALL ||
                      moat_small_is_marked(heap, pointer)))
        return free_in(heap, pointer);
    unit = moat_small_unit(heap, place);
    if (MOAT_UNLIKELY(moat_small_put(heap, place.span, pointer, unit)))
        return settle(heap, place.span);
    return true;
}

void *moat_guest_realloc(void *pointer, size_t bytes)
{
    moat_heap *heap = clear_heap();

    if (heap != NULL && moat_small_may_own(heap, pointer))
        return moat_heap_realloc(heap, pointer, bytes);
    heap = find_heap();
    return is_block_of(heap, pointer) ? moat_heap_realloc(heap, pointer, bytes)
                                      : NULL;
}
