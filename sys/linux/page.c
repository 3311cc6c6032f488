/*
 * page.c: the size of a page, by sysconf(3), which is async-signal-safe
 * (POSIX.1-2017, 2.4.3).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/page.h"

#include <unistd.h>

atomic_size_t moat_known_page_bytes;

size_t moat_ask_page_bytes(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);

    atomic_store_explicit(&moat_known_page_bytes, bytes, memory_order_relaxed);
    return bytes;
}
