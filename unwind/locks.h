/*
 * locks.h: which function that holds a lock of the process lies at an address.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_LOCKS_H
#define MOAT_UNWIND_LOCKS_H

#include <stdint.h>

#include <moat/status.h>

/* Looks the functions up, at the first call; until then none is known. Under no
 * lock: it asks the dynamic linker. MOAT_E_NOMEM. */
moat_status moat_locks_prepare(void);

/* Returns the name of the function that may hold a lock while pc is in it,
 * called from caller_pc; NULL: none is known. Without a lock and without the
 * heap. */
const char *moat_locks_find(uintptr_t pc, uintptr_t caller_pc);

#endif
