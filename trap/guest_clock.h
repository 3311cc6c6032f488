/*
 * guest_clock.h: the limits of a guest, and since when they count.
 *
 * Nothing is written on a guest's way in and out. The state TIMED means that
 * the clock of the resume runs: a yield and the next resume overwrite it. Which
 * limits are in force follows from the chain of the resumers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_GUEST_CLOCK_H
#define MOAT_TRAP_GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "trap/coroutine.h"

/* Starts the clocks of the limited guests from `innermost` outwards that have
 * none yet; it may be NULL. Returns the clock of the innermost limited one;
 * NULL: none of them is limited. Signal-safe: yes. */
struct moat_guest_clock *moat_guest_clocks_start(struct co *innermost,
                                                 uint64_t now);

/* Returns the clock of the innermost limited guest whose clock runs; NULL. */
struct moat_guest_clock *moat_guest_clock_find(const struct co *innermost);

/* Returns whether one of the limits in force has passed, and notes which. If
 * none has, *look_at is when to look again. NULL: none is in force.
 * Signal-safe: yes. */
bool moat_guest_clock_is_over(const struct moat_guest_clock *clock,
                              uint64_t now, uint64_t *look_at);

/* Returns whether the resumes before this one have used up a total, and notes
 * which. */
bool moat_guest_clock_is_used_up(const struct co *co);

/* Returns a time before which none of the limits passes. */
uint64_t moat_guest_clock_due(const struct moat_guest_clock *clock);

/* After CPU time that does not count, for those from `innermost` outwards up to
 * `end`, which is not one of them; NULL: all. */
void moat_guest_clocks_shift_cpu(const struct co *innermost,
                                 const struct co *end, uint64_t ns);

#endif
