/*
 * pages.h: the contents of pages go back to the system.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_PAGES_H
#define MOAT_SYS_PAGES_H

#include "sys/memory.h"

/* Ranges that one system call takes. With more of them the price of the call
 * itself hardly counts any more. */
#define MOAT_MAX_RANGES 64

/* Returns whether one system call can drop the pages of many ranges. */
bool moat_pages_drop_batch_works(void);

/* Drops the pages of the ranges, MOAT_MAX_RANGES at most, which then read as
 * zeros. Guards stay. On
 * MOAT_E_SYSTEM some pages are still there, as those of locked memory are. */
moat_status moat_pages_drop(const struct moat_pages *ranges, size_t count);

/* Drops the pages of one range. On MOAT_E_UNSUPPORTED the memory is locked: its
 * contents can only be overwritten. */
moat_status moat_pages_drop_range(uintptr_t low, uintptr_t high);

/* Returns how many bytes of the range are in memory. */
size_t moat_pages_resident(uintptr_t low, uintptr_t high);

#endif
