/*
 * surroundings.h: the state of the thread and the process that must not change:
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

/* The dispositions of signals 1 to 64, as bytes that can be compared. */
struct dispositions {
    struct sigaction action[65];
};

void dispositions_note(struct dispositions *out);
void dispositions_expect_kept(const struct dispositions *before);

/* Returns the number of open descriptors; -1 if /proc cannot be read. */
int descriptors_open(void);

/* Returns the number of the process's mappings; -1 if /proc cannot be read. */
int mappings_present(void);

/* Returns the process's resident bytes; 0 if /proc cannot be read. */
size_t resident_bytes(void);

#endif
