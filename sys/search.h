/*
 * search.h: binary search, for tables of addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_SEARCH_H
#define MOAT_SYS_SEARCH_H

#include <stddef.h>
#include <stdint.h>

/* Returns how many of the ascending keys are at or below `key`. One key is
 * `stride` words after the other: a table of structures is searched by a field
 * of its entries. */
static inline size_t moat_keys_up_to(const uintptr_t *keys, size_t stride,
                                     size_t count, uintptr_t key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keys[middle * stride] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The stride of a table of such structures. */
#define MOAT_KEY_STRIDE(type) (sizeof(type) / sizeof(uintptr_t))

#endif
