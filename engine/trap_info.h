/*
 * trap_info.h: the trap record as the public functions show it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_TRAP_INFO_H
#define MOAT_ENGINE_TRAP_INFO_H

#include <stdbool.h>

#include <moat/trap.h>

#include "trap/coroutine.h"

/* MOAT_E_INVAL: out->struct_size is that of no version. */
moat_status moat_trap_info_check(const moat_trap_info *out);

/* Decodes the record of the last fault, as far as out->struct_size reaches,
 * which has been checked. */
void moat_trap_describe(const struct co *co, moat_trap_info *out);

/* Returns the registers at which a walk over a trapped guest's own frames
 * begins: those of the fault, or, if that was in a host call, those with which
 * the guest waits for the call. False: the latter, so pc is a return address.
 */
bool moat_trapped_regs(const struct co *co, moat_regs *out);

#endif
