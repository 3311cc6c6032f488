/*
 * aligned.c: blocks with an alignment.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "malloc/guest.h"
#include "malloc/next.h"

#define CALLER __builtin_return_address(0)

MOAT_API void *memalign(size_t alignment, size_t bytes);
MOAT_API void *pvalloc(size_t bytes);

static bool is_power(size_t alignment)
{
    return alignment != 0 && (alignment & (alignment - 1)) == 0;
}

/* The C library rounds up what is no power of two. */
static void *take(const void *caller, size_t alignment, size_t bytes)
{
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (!is_power(alignment))
        alignment = alignment != 0 ? (alignment | (alignment - 1)) + 1 : 1;
    return moat_malloc_take(caller, alignment, bytes);
}

MOAT_API void *memalign(size_t alignment, size_t bytes)
{
    if (moat_malloc_on_host())
        return moat_next.memalign(alignment, bytes);
    return take(CALLER, alignment, bytes);
}

MOAT_API void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (moat_malloc_on_host())
        return moat_next.aligned_alloc(alignment, bytes);
    return take(CALLER, alignment, bytes);
}

/* errno stays as it is. */
MOAT_API int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    int error = errno;
    void *block;

    if (moat_malloc_on_host())
        return moat_next.posix_memalign(out, alignment, bytes);
    if (!is_power(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    block = moat_malloc_take(CALLER, alignment, bytes);
    errno = error;
    if (block == NULL)
        return ENOMEM;
    *out = block;
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

MOAT_API void *valloc(size_t bytes)
{
    if (moat_malloc_on_host())
        return moat_next.valloc(bytes);
    return moat_malloc_take(CALLER, page_bytes(), bytes);
}

MOAT_API void *pvalloc(size_t bytes)
{
    size_t page = page_bytes();

    if (moat_malloc_on_host())
        return moat_next.pvalloc(bytes);
    if (bytes > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return moat_malloc_take(CALLER, page, (bytes + page - 1) & ~(page - 1));
}
