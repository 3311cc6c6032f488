/*
 * guard.h: guards as marks on the pages of a mapping, which cost no mapping
 * each. Not every system has them; moat_memory_close makes a guard on any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_GUARD_H
#define MOAT_SYS_GUARD_H

#include "sys/pages.h"

/* Returns whether the system has such guards, and whether one system call can
 * make many of them. */
bool moat_guard_marks_work(void);
bool moat_guard_marks_batch(void);

/* Makes guards of the ranges, MOAT_MAX_RANGES at most, in their order up to
 * the first that is refused, and reports how many it made in *count. Returns
 * MOAT_OK if that is at least one. */
moat_status moat_guard_mark(const struct moat_pages *ranges, size_t *count);

#endif
