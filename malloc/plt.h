/*
 * plt.h: what the CPU decides about functions that are bound at their first
 * call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_PLT_H
#define MOAT_MALLOC_PLT_H

#include <stdbool.h>
#include <stdint.h>

/* Returns whether a relocation of that type is for such a function. */
bool moat_plt_is_jump(uint64_t type);

/* Returns whether code at that address, in the file's own code, asks the
 * dynamic linker to bind. */
bool moat_plt_binds(uintptr_t code);

#endif
