/*
 * sched_debug.h: the table by which debuggers find the tasks of moat-sched. For
 * authors of debuggers' extensions only: <moat/sched.h> does not include it.
 *
 * It is made as moat_debug is (moat/debug.h); docs/debugging.md has the names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SCHED_DEBUG_H
#define MOAT_SCHED_DEBUG_H

#include <moat/debug.h>

/* The value of the entry "version". It changes when an entry is removed or
 * changes its meaning, not when one is added. */
#define MOAT_SCHED_DEBUG_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif
/* The first entry is "version". The library itself does not read the table. */
MOAT_API extern const struct moat_debug_entry moat_sched_debug[];
#ifdef __cplusplus
}
#endif

#endif
