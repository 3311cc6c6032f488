/*
 * lines.h: symbol tables and line tables of loaded files: lines_libdw.c, or
 * lines_none.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_LINES_H
#define MOAT_UNWIND_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/symbol.h"

/* Returns whether this build can read lines. */
bool moat_lines_available(void);

/* Fills in the function, by the symbol table; with lines also the source
 * location and what is inlined there. `identity` is that of the file, or 0.
 * Under no lock: it uses the heap, and may load libraries. */
void moat_files_find(uintptr_t pc, uint64_t identity, bool with_lines,
                     struct moat_symbol *symbol);

#endif
