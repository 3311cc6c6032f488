/*
 * seal.h: sealed sections: code of moat's own that a guest's trap, a
 * cancellation of the thread or a signal handler must not end half-way.
 *
 * A handler of the host's that runs on a guest's stack may fault, which stops
 * the guest for good. If it interrupted moat itself, a lock would stay held and
 * a list half changed. So moat blocks signals for as long as it holds a lock,
 * asks the heap or changes what outlives the guest. On the host's stack nothing
 * stops a function half-way but a cancellation.
 *
 * No section spans a switch to another coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_SEAL_H
#define MOAT_SYS_SEAL_H

#include <stdbool.h>
#include <stdint.h>

/* A cancellation waits until the matching end. Sections of all kinds nest. */
void moat_uncancellable_begin(void);
void moat_uncancellable_end(void);

/* A cancellation waits for the next cancellation point. A thread that is
 * stopped within one is left asynchronously cancellable. Returns the type
 * before. */
int moat_cancellation_defer(void);
void moat_cancellation_restore(int type);

/* The same as moat_uncancellable_begin, and on a guest's stack signals wait,
 * too, except those that code raises by itself. */
void moat_seal(void);
void moat_unseal(void);

/* The same as moat_seal, and signals wait on the host's stack as well. The
 * matching end is moat_unseal. */
void moat_seal_on_any_stack(void);

/* Notes that this thread holds, or waits for, one lock more or less. Only in a
 * sealed section. */
void moat_seal_note_lock(void);
void moat_seal_note_unlock(void);

/* Returns whether this thread holds a lock of moat's, or waits for one. A fault
 * is then never the guest's: a trap would leave the lock held. Signal-safe:
 * yes. */
bool moat_seal_locks_held(void);

/* Returns whether signals wait for the end of a section, and if so sets *mask
 * to the first 64 signals that the thread blocked before. The section then
 * counts as ended, for a guest that is being stopped in it. Signal-safe: yes.
 */
bool moat_seal_break(uint64_t *mask);

/* After a guest was stopped, in ordinary context: a cancellation waits no
 * longer. Returns whether the guest had sections open. */
bool moat_seal_landed(void);

#endif
