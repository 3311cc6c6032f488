/*
 * abandon_forks.h: a child at each instruction of a guest, in which a handler
 * interrupts the guest there and faults, and the counts of how these ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_ABANDON_FORKS_H
#define TESTS_UNWIND_ABANDON_FORKS_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* For which signals a child is forked. */
enum forks_plan {
    FORKS_IN_TURN,     /* at each instruction one, all signals in turn        */
    FORKS_EACH_SIGNAL, /* at each instruction all                             */
    FORKS_EACH_STATE   /* where the library's state was not met before: one of
                          each class of signals, those of a class in turn     */
};

/* State of the library that a stopped guest could leave behind. */
struct forks_state {
    uintptr_t words[8];
};

/* Before the first step. */
void forks_begin(enum forks_plan plan);

/* In the handler of a step, with all signals blocked. Returns true in each
 * child, where a signal is pending whose handler faults, and false in the
 * parent. */
bool forks_step(const ucontext_t *at, const struct forks_state *state);

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
