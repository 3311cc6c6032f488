/*
 * symbol_cache.h: see symbol_cache.c. The caller sees to it that one thread is
 * here at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_SYMBOL_CACHE_H
#define MOAT_UNWIND_SYMBOL_CACHE_H

#include "unwind/unwind.h"

/* False: it is not known. `out` is all zeros before. */
bool moat_symbol_cache_find(uintptr_t pc, uint64_t identity,
                            struct moat_symbol *out);

/* `identity`: not 0. */
void moat_symbol_cache_store(uintptr_t pc, uint64_t identity,
                             const struct moat_symbol *symbol);

#endif
