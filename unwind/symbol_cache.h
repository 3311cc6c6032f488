/*
 * symbol_cache.h: symbols that were found before, by address. One thread at a
 * time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_SYMBOL_CACHE_H
#define MOAT_UNWIND_SYMBOL_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/symbol.h"

/* False: it is not in the cache. `out` is all zeros before. */
bool moat_symbol_cache_find(uintptr_t pc, uint64_t identity,
                            struct moat_symbol *out);

/* `identity` is that of the file, not 0. */
void moat_symbol_cache_store(uintptr_t pc, uint64_t identity,
                             const struct moat_symbol *symbol);

#endif
