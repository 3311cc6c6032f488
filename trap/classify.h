/*
 * classify.h: from a CPU's exception to a kind of trap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_CLASSIFY_H
#define MOAT_TRAP_CLASSIFY_H

#include <moat/trap.h>

#include "arch/arch.h"
#include "stack/slot.h"

/* Returns the kind of a trap. Pure. Signal-safe: yes. */
moat_trap_kind moat_trap_classify(int signo,
                                  const struct moat_arch_fault *fault,
                                  moat_region region, const moat_regs *regs,
                                  const struct moat_slot *slot);

#endif
