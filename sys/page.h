/*
 * page.h: the size of a page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_PAGE_H
#define MOAT_SYS_PAGE_H

#include <stdatomic.h>
#include <stddef.h>

/* 0 before the first call of moat_page_bytes. */
extern atomic_size_t moat_known_page_bytes;

/* Asks the system. Signal-safe: yes. */
size_t moat_ask_page_bytes(void);

/* Returns the size of a page, a power of two. Signal-safe: yes. */
static inline size_t moat_page_bytes(void)
{
    size_t bytes =
        atomic_load_explicit(&moat_known_page_bytes, memory_order_relaxed);

    return __builtin_expect(bytes != 0, 1) ? bytes : moat_ask_page_bytes();
}

#endif
