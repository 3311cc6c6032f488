/*
 * allocate.c: malloc, calloc, realloc and free, and their like.
 *
 * Each has two paths: the host's, which is a compare or two before the next
 * allocator, and one for all others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "malloc/guest.h"
#include "malloc/next.h"

#define CALLER __builtin_return_address(0)

MOAT_API size_t malloc_usable_size(void *pointer);

MOAT_API void *malloc(size_t bytes)
{
    if (moat_malloc_on_host())
        return moat_next.malloc(bytes);
    return moat_malloc_take(CALLER, 0, bytes);
}

static void *refuse_product(void)
{
    errno = ENOMEM;
    return NULL;
}

MOAT_API void *calloc(size_t count, size_t bytes)
{
    size_t all;

    if (moat_malloc_on_host())
        return moat_next.calloc(count, bytes);
    if (__builtin_mul_overflow(count, bytes, &all))
        return refuse_product();
    return moat_malloc_take_zeroed(CALLER, all);
}

MOAT_API void free(void *pointer)
{
    if (moat_malloc_on_host() && MOAT_LIKELY(!moat_heap_may_own(pointer)))
        moat_next.free(pointer);
    else
        moat_malloc_return(pointer);
}

static void *resize(const void *caller, void *pointer, size_t bytes)
{
    if (moat_malloc_on_host() && MOAT_LIKELY(!moat_heap_may_own(pointer)))
        return moat_next.realloc(pointer, bytes);
    return moat_malloc_resize(caller, pointer, bytes);
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
