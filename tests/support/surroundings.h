/*
 * surroundings.h: what of the thread and the process must be as it was before:
 * signal mask, alternate stack, dispositions, descriptors, mappings, memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_SURROUNDINGS_H
#define TESTS_SUPPORT_SURROUNDINGS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* The calling thread's signal mask and alternate stack. */
struct thread_signals {
    sigset_t mask;
    stack_t alternate;
};

void thread_signals_note(struct thread_signals *out);
void thread_signals_expect_kept(const struct thread_signals *before);

/* The dispositions of the signals 1 to 64, as bytes that can be compared. */
struct dispositions {
    struct sigaction action[65];
};

void dispositions_note(struct dispositions *out);
void dispositions_expect_kept(const struct dispositions *before);

/* How many descriptors are open; -1 if /proc does not tell. */
int descriptors_open(void);

/* How many mappings the process has; -1 if /proc does not tell. */
int mappings_present(void);

/* Resident bytes of the process; 0 if /proc does not tell. */
size_t resident_bytes(void);

#endif
