/*
 * own_stacks.h: stacks that guests have made for themselves and registered.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_OWN_STACKS_H
#define MOAT_TRAP_OWN_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>

#include "registry/ranges.h"

/* Registers a stack, and returns its number, which is never used twice.
 * MOAT_E_OVERLAP, MOAT_E_NOMEM; MOAT_E_STATE: called by what a handler called.
 */
moat_status moat_own_stacks_add(const struct moat_range *stack, uint64_t *out);

/* MOAT_E_INVAL: there is no such stack. */
moat_status moat_own_stacks_remove(uint64_t id);

/* Finds the registered stack that an address lies on. Signal-safe: yes. */
bool moat_own_stacks_find(uintptr_t address, struct moat_range *out);

#endif
