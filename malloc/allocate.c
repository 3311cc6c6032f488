/*
 * allocate.c: malloc, calloc, realloc and free, and their like.
 *
 * Each has three paths: the host's, which is a compare or two before the next
 * allocator; that of a guest with a heap of its own, which is one call of moat;
 * and one for all others (guest.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/guest.h"
#include "malloc/next.h"

#define CALLER __builtin_return_address(0)

MOAT_API size_t malloc_usable_size(void *pointer);

/* The caller is not the dynamic linker. */
static void *take_otherwise(size_t bytes)
{
    return moat_malloc_take(NULL, 0, bytes);
}

/* Each path ends in a call, and needs no frame. */
MOAT_API void *malloc(size_t bytes)
{
    if (moat_malloc_on_host())
        return moat_next.malloc(bytes);
    if (MOAT_UNLIKELY(moat_next_is_loader(CALLER)))
        return moat_malloc_take(CALLER, 0, bytes);
    return moat_guest_alloc_or(bytes, take_otherwise);
}

static void *refuse_product(void)
{
    errno = ENOMEM;
    return NULL;
}

/* A large block may come from the system as zeros. */
#define CLEARED_HERE ((size_t)4096)

MOAT_API void *calloc(size_t count, size_t bytes)
{
    size_t all;
    void *block;

    if (moat_malloc_on_host())
        return moat_next.calloc(count, bytes);
    if (__builtin_mul_overflow(count, bytes, &all))
        return refuse_product();
    if (all <= CLEARED_HERE &&
        MOAT_LIKELY((block = moat_malloc_quick(CALLER, all)) != NULL))
        return memset(block, 0, all);
    return moat_malloc_take_zeroed(CALLER, all);
}

MOAT_API void free(void *pointer)
{
    if (moat_malloc_on_host() && MOAT_LIKELY(!moat_heap_may_own(pointer)))
        moat_next.free(pointer);
    else
        moat_guest_free_or(pointer, moat_malloc_return);
}

/* NULL: a case for moat_malloc_resize. A size of 0 frees, and no heap has one
 * above PTRDIFF_MAX. */
static inline void *resize_quick(const void *caller, void *pointer,
                                 size_t bytes)
{
    if (MOAT_UNLIKELY(bytes - 1 >= PTRDIFF_MAX || moat_next_is_loader(caller)))
        return NULL;
    return pointer != NULL ? moat_guest_realloc(pointer, bytes)
                           : moat_guest_alloc(bytes);
}

/* Apart from the host's path, which then has no registers to save. */
static __attribute__((noinline)) void *
resize_for_guest(void *pointer, size_t bytes, const void *caller)
{
    void *block = resize_quick(caller, pointer, bytes);

    return MOAT_LIKELY(block != NULL)
               ? block
               : moat_malloc_resize(caller, pointer, bytes);
}

static inline void *resize(const void *caller, void *pointer, size_t bytes)
{
    if (moat_malloc_on_host() && MOAT_LIKELY(!moat_heap_may_own(pointer)))
        return moat_next.realloc(pointer, bytes);
    return resize_for_guest(pointer, bytes, caller);
}

MOAT_API void *realloc(void *pointer, size_t bytes)
{
    return resize(CALLER, pointer, bytes);
}

MOAT_API void *reallocarray(void *pointer, size_t count, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all))
        return refuse_product();
    return resize(CALLER, pointer, all);
}

MOAT_API size_t malloc_usable_size(void *pointer)
{
    return pointer != NULL ? moat_malloc_bytes(pointer) : 0;
}
