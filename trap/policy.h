/*
 * policy.h: in which code a coroutine may be stopped by a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_POLICY_H
#define MOAT_TRAP_POLICY_H

#include <signal.h>

#include "trap/coroutine.h"

/* Returns whether the coroutine, which has no section open, may be stopped at
 * `pc`. Signal-safe: yes. */
bool moat_policy_allows(const struct co *co, uintptr_t pc);

/* Returns whether it may be trapped for this signal. Signal-safe: yes. */
bool moat_policy_allows_fault(const struct co *co, const siginfo_t *info,
                              const void *ucontext);

#endif
