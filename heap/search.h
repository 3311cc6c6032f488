/*
 * search.h: the search for references to heaps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_SEARCH_H
#define MOAT_HEAP_SEARCH_H

#include <moat/allocator.h>

#include "heap/hall.h"

/* What each heap counts beside its pages: its mappings and tables. */
#define MOAT_KEPT_OVERHEAD ((size_t)64 << 10)

/* Returns whether the system lets memory be read that may not be there. */
bool moat_search_works(void);

/* Makes what a search needs; false: no memory. */
bool moat_search_prepare(void);

/* Searches all variables. `first` is a list of heaps that have ended, to which
 * entries may be appended meanwhile: those of other threads count as found, as
 * their variables cannot be read. Sets `bytes` of what is found, and returns
 * how much was read. One thread at a time; under no lock, since the variables
 * are found by way of the dynamic linker, which has one. */
size_t moat_search(struct moat_heap_region *first, moat_heap_roots roots);

/* Returns whether the last search has found a reference to the heap. */
bool moat_search_found(const struct moat_heap_region *region);

#endif
