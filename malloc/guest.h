/*
 * guest.h: memory for guests, and blocks that are returned or resized by
 * another than their owner.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_GUEST_H
#define MOAT_MALLOC_GUEST_H

#include <stddef.h>

#include <moat/allocator.h>

#include "malloc/next.h"
#include "malloc/owner.h"

/* A guest's malloc as it nearly always is: from the heap that it has, which is
 * not full. NULL: moat_malloc_take knows the rest. */
static inline void *moat_malloc_quick(const void *return_address, size_t bytes)
{
    return MOAT_LIKELY(!moat_next_is_loader(return_address))
               ? moat_guest_alloc(bytes)
               : NULL;
}

/* Blocks for the caller, host or guest: errno is set where NULL is returned.
 * The alignment is a power of two; 0: that of malloc. */
void *moat_malloc_take(const void *return_address, size_t alignment,
                       size_t bytes);
void *moat_malloc_take_zeroed(const void *return_address, size_t bytes);
void *moat_malloc_resize(const void *return_address, void *pointer,
                         size_t bytes);

/* Leaves errno as it is. NULL is allowed. */
void moat_malloc_return(void *pointer);

/* Returns the usable bytes of a block, of any owner. */
size_t moat_malloc_bytes(void *pointer);

#endif
