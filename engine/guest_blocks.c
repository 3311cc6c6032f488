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

/* Returns a block as nearly all are; NULL: alloc_slowly knows. */
static inline void *alloc_quickly(size_t bytes)
{
    moat_heap *heap = clear_heap();

    if (MOAT_UNLIKELY(heap == NULL || bytes > MOAT_HEAP_MAX_PLAIN))
        return NULL;
    return moat_small_take(heap, moat_heap_plain_class_of(bytes));
}

void *moat_guest_alloc(size_t bytes)
{
    void *block = alloc_quickly(bytes);

    return MOAT_LIKELY(block != NULL) ? block : alloc_slowly(bytes);
}

static __attribute__((noinline)) void *
alloc_slowly_or(size_t bytes, void *(*otherwise)(size_t bytes))
{
    void *block = alloc_slowly(bytes);

    return block != NULL ? block : otherwise(bytes);
}

void *moat_guest_alloc_or(size_t bytes, void *(*otherwise)(size_t bytes))
{
    void *block = alloc_quickly(bytes);

    return MOAT_LIKELY(block != NULL) ? block
                                      : alloc_slowly_or(bytes, otherwise);
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

/* What free_quickly has left to do. */
enum freed { FREED, FREED_LAST, NOT_FREED };

/* FREED_LAST: *span must be settled. NOT_FREED: free_slowly knows. */
static inline enum freed free_quickly(moat_heap *heap, void *pointer,
                                      struct moat_span **span)
{
    struct moat_place place;

    if (MOAT_UNLIKELY(heap == NULL || !moat_small_may_own(heap, pointer)))
        return NOT_FREED;
    place = moat_small_place(heap, pointer);
    if (MOAT_UNLIKELY(place.span->kind != MOAT_SPAN_SMALL ||
                      moat_small_is_marked(heap, pointer)))
        return NOT_FREED;
    *span = place.span;
    return MOAT_UNLIKELY(moat_small_put(heap, place.span, pointer,
                                        moat_small_unit(heap, place)))
               ? FREED_LAST
               : FREED;
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
    struct moat_span *span;

    switch (free_quickly(heap, pointer, &span)) {
    case FREED:
        return true;
    case FREED_LAST:
        return settle(heap, span);
    default:
        return free_slowly(pointer);
    }
}

static __attribute__((noinline)) void
free_slowly_or(void *pointer, void (*otherwise)(void *pointer))
{
    if (!free_slowly(pointer))
        otherwise(pointer);
}

void moat_guest_free_or(void *pointer, void (*otherwise)(void *pointer))
{
    moat_heap *heap = clear_heap();
    struct moat_span *span;

    switch (free_quickly(heap, pointer, &span)) {
    case FREED:
        return;
    case FREED_LAST:
        moat_small_settle(heap, span);
        return;
    default:
        free_slowly_or(pointer, otherwise);
    }
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
