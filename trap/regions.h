/*
 * regions.h: fault regions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_REGIONS_H
#define MOAT_TRAP_REGIONS_H

#include <signal.h>
#include <stdbool.h>

#include <moat/region.h>

/* As moat_fault_region_register and _unregister; the engine is ready. */
moat_status moat_regions_add(const moat_fault_region_options *options,
                             moat_fault_region *out);
moat_status moat_regions_remove(moat_fault_region id);

/* Returns whether any region is registered. Signal-safe: yes. */
bool moat_regions_any(void);

/* Returns whether a region repaired the fault. Signal-safe: yes. */
bool moat_regions_fix(const siginfo_t *info, const void *ucontext);

#endif
