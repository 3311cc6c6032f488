/*
 * mask.h: the signals of a fault, and whether a thread blocks them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_MASK_H
#define MOAT_TRAP_MASK_H

#include <signal.h>
#include <stddef.h>

#include <moat/status.h>

/* The signals by which the CPU reports a fault, and that of abort. */
#define MOAT_FAULT_SIGNALS ((size_t)6)
extern const int moat_fault_signals[MOAT_FAULT_SIGNALS];

/* The kernel kills a thread that faults with the signal blocked. Unblocks the
 * signals of a fault; *were_blocked is set to those that were blocked. */
void moat_mask_unblock(sigset_t *were_blocked);

void moat_mask_block(const sigset_t *signals);

/* MOAT_E_HANDLER_LOST: this thread blocks a signal of a fault. Signal-safe:
 * yes. */
moat_status moat_mask_check(void);

#endif
