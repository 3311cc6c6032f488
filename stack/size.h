/*
 * size.h: sizes that come from a caller are added and rounded here, checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_SIZE_H
#define MOAT_STACK_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x86-64 has no other base page size (SDM vol. 3, 4.3). */
#define MOAT_PAGE_BYTES ((size_t)4096)

static inline bool moat_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool moat_size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Rounds up to whole pages: 1 gives 4096, 4096 gives 4096. */
static inline bool moat_size_to_pages(size_t bytes, size_t *out)
{
    size_t sum;

    if (!moat_size_add(bytes, MOAT_PAGE_BYTES - 1, &sum))
        return false;
    *out = sum & ~(MOAT_PAGE_BYTES - 1);
    return true;
}

#endif
