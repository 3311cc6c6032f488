/*
 * supply.h: memory that a thread sets aside before it takes a lock, as the heap
 * must not be asked under one (lock.h).
 *
 * Code under a lock takes memory from the supply of its thread. What is not
 * there it goes without, and fails with MOAT_E_NOMEM; the caller releases the
 * lock, lets the supply be filled, and tries again:
 *
 *     do {
 *         moat_lock(&lock);
 *         status = change();
 *         moat_unlock(&lock);
 *     } while (moat_supply_fill(status));
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_SUPPLY_H
#define MOAT_SYS_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/status.h>

/* Takes zeroed memory, which is for free() or moat_free_later. NULL: there is
 * none of that size, which has been noted. */
void *moat_supply_take(size_t bytes);

/* What the attempt has taken so far stays taken if it fails later: the next one
 * will not need it again. */
void moat_supply_keep(void);

/* Adds memory that will be needed. False: the heap has none. Under no lock. */
bool moat_supply_add(size_t bytes);

/* Under no lock. If the attempt failed with MOAT_E_NOMEM for want of a supply,
 * and the heap has what was missing, returns true: it should be made again. If
 * not, the attempt was the last, and the rest of the supply is freed. */
bool moat_supply_fill(moat_status attempt);

#endif
