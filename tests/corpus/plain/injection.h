/*
 * injection.h: faults in the allocator's calls.
 *
 * Two programs are built of the plain host. In `plain` nothing is injected
 * (without.c). In `inject` each repetition stops the guest in one call of
 * malloc, calloc, realloc or free (injection.c), each call in turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_PLAIN_INJECTION_H
#define CORPUS_PLAIN_INJECTION_H

#include "corpus/job.h"

/* Called once, before the first repetition. `run` runs the guest to its end,
 * and returns false if it did not return. Sets how many repetitions there are
 * to be. */
void injection_open(struct job *job, bool (*run)(void));

/* Prepares the next repetition. */
void injection_arm(const struct job *job);

/* Returns the verdict that the repetition should have had; VERDICTS: any. */
enum verdict injection_expected(const struct job *job);

#endif
