/*
 * memory.h: address space: reservations, protection, and reading what may not
 * be there.
 *
 * Addresses and sizes are multiples of the page size, unless said otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_MEMORY_H
#define MOAT_SYS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

/* A range of addresses; high is exclusive. */
struct moat_pages {
    uintptr_t low, high;
};

/* Reserves inaccessible addresses, which cost no memory; returns the lowest, or
 * 0 if there is no room. */
uintptr_t moat_memory_reserve(size_t bytes);

/* Replaces a reservation by a new one at the same addresses: its pages and page
 * tables go back to the system, and no other mapping can take the addresses
 * meanwhile. Returns false if the system refused, and then nothing changed. */
bool moat_memory_renew(uintptr_t begin, size_t bytes);

void moat_memory_release(uintptr_t begin, size_t bytes);

/* Makes a range readable and writable, or inaccessible. On MOAT_E_GUARD_LIMIT
 * the process has used up its mappings or its memory. */
moat_status moat_memory_open(uintptr_t address, size_t bytes);
moat_status moat_memory_close(uintptr_t address, size_t bytes);

/* Returns whether the limits of the process (RLIMIT_DATA, RLIMIT_AS), if it has
 * any, leave it so many bytes. */
bool moat_memory_is_left(size_t bytes);

/* Finds out which of the two it was: MOAT_E_GUARD_LIMIT becomes MOAT_E_NOMEM if
 * the process may still have mappings. Other statuses stay. Reads files: under
 * no lock. */
moat_status moat_memory_refusal(moat_status status);

/* Asks for huge pages, which is a hint, or forbids them. Forbidding returns
 * MOAT_OK where the system has none. */
void moat_memory_want_huge(uintptr_t address, size_t bytes);
moat_status moat_memory_forbid_huge(uintptr_t address, size_t bytes);

/* A part of this process's memory. */
struct moat_memory_part {
    uintptr_t begin;
    size_t bytes;
};

/* Parts that one call of moat_memory_read takes at most. */
#define MOAT_MEMORY_PARTS ((size_t)64)

/* Copies parts of this process's memory one after another to `to`, up to the
 * first byte that cannot be read, and reports how many bytes it copied. Memory
 * that is unmapped or protected does not fault. Any addresses. MOAT_E_SYSTEM:
 * the system forbids such reads. Signal-safe: yes. */
moat_status moat_memory_read(const struct moat_memory_part *parts, size_t count,
                             void *to, size_t *copied);

#endif
