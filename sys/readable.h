/*
 * readable.h: whether memory can be read, or is there at all, for signal
 * handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_READABLE_H
#define MOAT_SYS_READABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns whether the word at the address, a multiple of its size, can be read.
 * Does not fault; another thread may change the answer at any time.
 * Signal-safe: yes, also with all signals blocked. */
bool moat_memory_can_read(uintptr_t address);

/* Returns whether each page of [address, address + bytes) is mapped, be it
 * accessible or not. Any addresses. Signal-safe: yes. */
bool moat_memory_is_mapped(uintptr_t address, size_t bytes);

#endif
