/*
 * scrub.h: stacks read as zeros before another user gets them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_SCRUB_H
#define MOAT_STACK_SCRUB_H

#include "stack/slot.h"

/* Makes [low, high) of a stack read as zeros. The first keeps resident pages,
 * the second drops them, except in locked memory. */
moat_status moat_stack_zero(uintptr_t low, uintptr_t high);
moat_status moat_stack_discard(uintptr_t low, uintptr_t high);

/* Writes zeros. Any addresses. */
void moat_stack_clear(uintptr_t low, uintptr_t high);

/* Makes the stacks of a chain read as zeros, and returns the chain. A stack
 * that cannot be scrubbed is taken off it and lost. */
struct moat_slot *moat_scrub(struct moat_slot *first);

#endif
