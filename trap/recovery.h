/*
 * recovery.h: where a fault of the running coroutine goes, and traps that are
 * raised by a call instead of a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_RECOVERY_H
#define MOAT_TRAP_RECOVERY_H

#include <moat/status.h>

#include "trap/coroutine.h"

/* Returns the innermost recovery point; NULL: there is none. Signal-safe: yes.
 */
struct moat_recovery *moat_recovery_innermost(const struct co *co);

/* Returns the recovery point of the innermost no-trap section; NULL: that
 * section has none, or no section is open. Signal-safe: yes. */
struct moat_recovery *moat_trap_recovery(const struct co *co);

/* Closes the recovery points whose calls have ended without returning, by a
 * longjmp, and the sections opened in them; `sp` is the guest's stack pointer.
 * Signal-safe: yes. */
void moat_recovery_settle(struct co *co, uintptr_t sp);

/* Returns how many no-trap sections are open. One of a recovery point whose
 * call has not begun does not count. Signal-safe: yes. */
uint32_t moat_trap_sections(const struct co *co);

/* Returns whether a fault of the running coroutine is recoverable, ignoring the
 * policy. It is not in a no-trap section without a recovery point. Signal-safe:
 * yes. */
bool moat_trap_possible(const struct co *co);

/* Traps the running coroutine from ordinary code; the trap must be possible. */
MOAT_NORETURN void moat_trap_now(struct co *co, moat_trap_kind kind,
                                 int user_code);

/* Calls fn(arg) in a no-trap section with a recovery point. MOAT_E_FAULT: it
 * faulted, and the trap record describes the fault; MOAT_E_NOMEM: it was not
 * called. Nests. `slot` is where the return address of the guest's call lies:
 * while it does, the call lives. */
moat_status moat_trap_recover(struct co *co, void (*fn)(void *), void *arg,
                              uintptr_t slot);

/* Frees what is kept for recovery points. The coroutine does not run. */
void moat_recovery_drop(struct co *co);

#endif
