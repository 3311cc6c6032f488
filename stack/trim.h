/*
 * trim.h: the memory of unused slots goes back to the system.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_TRIM_H
#define MOAT_STACK_TRIM_H

#include "stack/slot.h"

struct moat_trim_policy {
    size_t free_bytes;  /* resident of the idle slots, at most; 0: all  */
    size_t stack_bytes; /* resident of a free stack, at most; 0: all    */
};

/* Once, before any slot is returned. */
void moat_trim_configure(const struct moat_trim_policy *asked);

/* Returns policy.stack_bytes rounded up to pages; 0: no limit. */
size_t moat_trim_stack_bytes(void);

/* Returns a chain of slots of one class (linked by next) to their arenas, or,
 * by the policy, their memory to the system. Any thread. */
void moat_trim_return(struct moat_slot *first);

/* Drops what the stacks of a chain have resident beyond the policy's limit. */
void moat_trim_stacks(const struct moat_slot *first);

/* Returns the memory of idle slots to the system except `keep` bytes; adds what
 * was resident to *released. MOAT_E_SYSTEM: some could not be. Any thread. */
moat_status moat_trim(size_t keep, size_t *released);

#endif
