/*
 * deadline.h: what the signal of a thread's timer does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_DEADLINE_H
#define MOAT_TRAP_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>

/* Installs the handler of the deadline signal; removes it. The engine
 * serialises these. */
moat_status moat_deadline_install(int signo);
moat_status moat_deadline_remove(void);
moat_status moat_deadline_check(void); /* Signal-safe: yes. */

/* Returns whether a deadline passed while the running coroutine could not be
 * stopped. */
bool moat_deadline_pending(void);

/* Notes a deadline if the guest's totals of time are used up. */
void moat_deadline_note_used_up(const struct co *co);

/* Stops a suspended guest whose totals of time are used up where it waits.
 * False: they are not, or it may not be stopped there; it is as it was. */
bool moat_deadline_stop_suspended(struct co *co);

/* Around a fork. A child inherits no timer: the second call, in the child,
 * makes one if a limit is in force. Limits on CPU time continue with what is
 * left of them. */
void moat_deadline_before_fork(void);
void moat_deadline_after_fork(void);

#endif
