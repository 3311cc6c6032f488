/*
 * modules.h: loaded files and their exported symbols.
 *
 * The lookups by address take no lock and use no heap, unlike dladdr and
 * dl_iterate_phdr: a guest may have died while it held the dynamic linker's
 * lock. If another thread unloads the file meanwhile, what is read may be gone:
 * the caller holds that lock, or survives a fault.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_MODULES_H
#define MOAT_UNWIND_MODULES_H

#include <stdint.h>

#include "unwind/symbol.h"

/* Returns where the file that pc belongs to is mapped; 0: it is in none. */
uintptr_t moat_module_start(uintptr_t pc);

/* Fills in the module and the offset in it, and function and offset if an
 * exported one covers pc. */
void moat_module_describe(uintptr_t pc, struct moat_symbol *out);

/* Returns how many files have been loaded and unloaded so far. Takes the
 * dynamic linker's lock. */
unsigned long long moat_modules_changes(void);

#endif
