/*
 * source.h: the source of page faults that is in use.
 *
 * Signal dispositions are process-wide: the engine serialises all calls but
 * those marked signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_SOURCE_H
#define MOAT_TRAP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/source.h>
#include <moat/status.h>

moat_status moat_trap_install(const moat_source *source);
moat_status moat_trap_check(void); /* Signal-safe: yes. */
moat_status moat_trap_remove(void);

/* Returns the installed source's `fault`; NULL: it has none. Signal-safe: yes.
 */
bool (*moat_trap_source_fault(void))(void *, void *);

/* Hands a range to the installed source, or takes it back. Under the lock of
 * the ranges. */
moat_status moat_trap_watch(const moat_source_range *range);
void moat_trap_unwatch(const moat_source_range *range);

/* The same for a new arena of stacks; takes the lock. For moat_arena_layout. */
moat_status moat_trap_watch_arena(uintptr_t begin, size_t bytes);

/* Takes back what lent memory was handed to the source for. */
void moat_trap_unwatch_arena(uintptr_t begin);

#endif
