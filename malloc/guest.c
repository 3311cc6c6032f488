/*
 * guest.c: memory for guests, and blocks that cross the border.
 *
 *   returned by    the guest's own    another heap's     the next allocator's
 *   the guest      at once            later, by its heap by the next allocator
 *   the host       later, by its heap                    by the next allocator
 *
 * A block that is resized by another than its owner moves to the one who
 * resizes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/chunk.h"
#include "malloc/next.h"
#include "malloc/policy.h"

/* ---- Taking -------------------------------------------------------------- */

struct request {
    size_t alignment, bytes;
    void *pointer; /* to be resized */
    void *result;
};

static void take_next(void *arg)
{
    struct request *request = arg;

    request->result =
        request->alignment != 0
            ? moat_next.memalign(request->alignment, request->bytes)
            : moat_next.malloc(request->bytes);
}

static void take_next_zeroed(void *arg)
{
    struct request *request = arg;

    request->result = moat_next.calloc(1, request->bytes);
}

static void resize_next(void *arg)
{
    struct request *request = arg;

    request->result = moat_next.realloc(request->pointer, request->bytes);
}

/* Calls the next allocator for the host, or for the dynamic linker on a guest's
 * stack. */
static void *ask_next(enum moat_caller caller, void (*fn)(void *),
                      struct request *request)
{
    if (caller == MOAT_CALLER_LOADER)
        moat_malloc_guarded(fn, request);
    else
        fn(request);
    return request->result;
}

/* Returns whether no heap could have such a size, whatever its quota. */
static bool is_absurd(const moat_heap *heap, size_t bytes)
{
    return heap == NULL || bytes > PTRDIFF_MAX;
}

static void *refuse_absurd(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *take(enum moat_caller caller, moat_heap *heap, size_t alignment,
                  size_t bytes)
{
    struct request request = {.alignment = alignment, .bytes = bytes};
    void *block;

    if (caller != MOAT_CALLER_GUEST)
        return ask_next(caller, take_next, &request);
    if (is_absurd(heap, bytes))
        return refuse_absurd();
    block = alignment != 0 ? moat_heap_alloc_aligned(heap, alignment, bytes)
                           : moat_heap_alloc(heap, bytes);
    return block != NULL ? block : moat_malloc_refuse();
}

void *moat_malloc_take(const void *return_address, size_t alignment,
                       size_t bytes)
{
    moat_heap *heap;
    enum moat_caller caller = moat_malloc_caller(return_address, &heap);

    return take(caller, heap, alignment, bytes);
}

void *moat_malloc_take_zeroed(const void *return_address, size_t bytes)
{
    struct request request = {.bytes = bytes};
    moat_heap *heap;
    enum moat_caller caller = moat_malloc_caller(return_address, &heap);
    void *block;

    if (caller != MOAT_CALLER_GUEST)
        return ask_next(caller, take_next_zeroed, &request);
    if (is_absurd(heap, bytes))
        return refuse_absurd();
    block = moat_heap_alloc_zeroed(heap, bytes);
    return block != NULL ? block : moat_malloc_refuse();
}

/* ---- Returning ----------------------------------------------------------- */

/* Returns the heap of a block; NULL: the next allocator has it. *ended: it
 * belonged to a heap that has ended. */
static moat_heap *owner_of(const void *pointer, bool *ended)
{
    moat_heap *owner = NULL;

    *ended = false;
    if (moat_heap_may_own(pointer)) {
        owner = moat_heap_of(pointer);
        *ended = owner == NULL && moat_heap_had(pointer);
    }
    return owner;
}

static void return_next(void *pointer)
{
    moat_next.free(pointer);
}

/* Frees a block of the host's for a guest. It may also be no block at all. */
static void return_hosts(void *pointer)
{
    if (moat_next.is_glibc && !moat_chunk_is_plausible(pointer))
        moat_malloc_misused("free of what is no block");
    moat_malloc_guarded(return_next, pointer);
}

static void return_to(moat_heap *owner, void *pointer)
{
    moat_heap *heap;
    bool guest = moat_malloc_is_guest(&heap);

    if (owner != NULL && heap == owner)
        moat_heap_free(heap, pointer);
    else if (owner != NULL)
        (void)moat_heap_free_later(owner, pointer);
    else if (guest)
        return_hosts(pointer);
    else
        moat_next.free(pointer);
}

void moat_malloc_return(void *pointer)
{
    int error = errno;
    bool ended;
    moat_heap *owner;

    if (pointer == NULL)
        return;
    owner = owner_of(pointer, &ended);
    /* A block that ended with its heap is free already. */
    if (!ended)
        return_to(owner, pointer);
    errno = error;
}

/* ---- Resizing ------------------------------------------------------------ */

size_t moat_malloc_bytes(void *pointer)
{
    bool ended;
    moat_heap *owner = owner_of(pointer, &ended);
    size_t bytes;

    if (owner == NULL && !ended)
        return moat_next.malloc_usable_size(pointer);
    bytes = ended ? moat_heap_kept_block(pointer)
                  : moat_heap_find_block(owner, pointer);
    if (bytes == 0 && ended)
        moat_malloc_misused("a block that ended with its guest was resized");
    if (bytes == 0)
        moat_malloc_misused("resized what is no block of a guest's heap");
    return bytes;
}

static void *move(const void *return_address, void *pointer, size_t bytes)
{
    size_t had = moat_malloc_bytes(pointer);
    void *block = moat_malloc_take(return_address, 0, bytes);

    if (block == NULL)
        return NULL;
    memcpy(block, pointer, had < bytes ? had : bytes);
    moat_malloc_return(pointer);
    return block;
}

static void *resize(const void *return_address, void *pointer, size_t bytes)
{
    struct request request = {.bytes = bytes, .pointer = pointer};
    bool ended;
    moat_heap *owner = owner_of(pointer, &ended), *heap;
    enum moat_caller caller = moat_malloc_caller(return_address, &heap);
    void *block;

    if (ended || owner != heap)
        return move(return_address, pointer, bytes);
    if (caller != MOAT_CALLER_GUEST)
        return ask_next(caller, resize_next, &request);
    if (is_absurd(heap, bytes))
        return refuse_absurd();
    block = moat_heap_realloc(heap, pointer, bytes);
    return block != NULL ? block : moat_malloc_refuse();
}

/* A size of 0 frees, as the C library has it. */
void *moat_malloc_resize(const void *return_address, void *pointer,
                         size_t bytes)
{
    if (pointer == NULL)
        return moat_malloc_take(return_address, 0, bytes);
    if (bytes != 0)
        return resize(return_address, pointer, bytes);
    moat_malloc_return(pointer);
    return NULL;
}
