/*
 * size.h: checked sums, products and rounding of sizes that a caller chose.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_SIZE_H
#define MOAT_SYS_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/page.h"

static inline bool moat_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool moat_size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* The start of the page that has the address. */
static inline uintptr_t moat_page_of(uintptr_t address)
{
    return address & ~(uintptr_t)(moat_page_bytes() - 1);
}

/* Rounds up to whole pages: one byte is a page, and a page stays one. */
static inline bool moat_size_to_pages(size_t bytes, size_t *out)
{
    size_t sum;

    if (!moat_size_add(bytes, moat_page_bytes() - 1, &sum))
        return false;
    *out = moat_page_of(sum);
    return true;
}

#endif
