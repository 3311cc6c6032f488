/*
 * abandon_forks.h: a child at each instruction of a guest, in which a handler
 * interrupts the guest there and faults, and the counts of how these ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_ABANDON_FORKS_H
#define TESTS_UNWIND_ABANDON_FORKS_H

#include <stdbool.h>
#include <ucontext.h>

/* Before the first step. A child for each signal at each instruction, or one,
 * for the signals in turn. */
void forks_begin(bool every_signal);

/* In the handler of a step, with all signals blocked. Returns true in each
 * child, where a signal is pending whose handler faults, and false in the
 * parent. */
bool forks_step(const ucontext_t *at);

/* Returns 0 in the parent, in a child its number, which begins with 1. */
unsigned long forks_number(void);

/* Returns whether this is a child whose guest must not have gone on. */
bool forks_must_stop(void);

/* Returns whether this is a child in which a probe may end early instead. */
bool forks_ends_a_probe(void);

/* In a child, once the guest has been stopped: the signal's action is again
 * what it was. */
void forks_restore_action(void);

/* Ends a child. */
_Noreturn void forks_end_child(bool failed, bool lock_held);

/* In the parent: waits for the children and prints the counts. Returns whether
 * all ended as they should. */
bool forks_end(const char *scene);

#endif
