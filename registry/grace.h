/*
 * grace.h: grace periods: readers that never wait, and writers that wait until
 * no reader can still see what they withdrew.
 *
 * A reader is a visitor between enter and leave. What a visitor finds in shared
 * data stays valid until it leaves: a writer unlinks it first, then calls
 * moat_grace_wait, and frees it only after that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REGISTRY_GRACE_H
#define MOAT_REGISTRY_GRACE_H

#include <stdbool.h>

/* Makes this thread a visitor. False: it is one already, and the caller must
 * not call leave. Signal-safe: yes. */
bool moat_grace_enter(void);

/* Ends the visit; without one it has no effect. Signal-safe: yes. */
void moat_grace_leave(void);

/* Ends the visit of a guest that is being stopped, even if it had only just
 * begun or was about to end. Signal-safe: yes. */
void moat_grace_abandon(void);

/* Returns whether this thread is a visitor. One that waited for its own visit
 * to end would wait for ever. Signal-safe: yes. */
bool moat_grace_visiting(void);

/* Returns once every visit that began before the call has ended. */
void moat_grace_wait(void);

/* In a forked child, which has no other thread, and is in no handler. */
void moat_grace_after_fork(void);

#endif
