/*
 * roots.h: where libraries keep pointers to blocks that outlive a guest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_ROOTS_H
#define MOAT_MALLOC_ROOTS_H

#include <moat/allocator.h>

/* Shows the variables of all loaded files, with those of the calling thread,
 * and the C library's heap. */
void moat_malloc_roots(moat_heap_scan scan);

#endif
