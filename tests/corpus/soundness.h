/*
 * soundness.h: checks after each run whether the host still works, on the
 * thread that hosts the guest and on another one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_SOUNDNESS_H
#define CORPUS_SOUNDNESS_H

#include <stdbool.h>

/* Starts the other thread. Returns false if that fails. */
bool soundness_open(void);

/* Makes the calls a host makes, on both threads. Passes `step` the name of each
 * call before making it, so that a hang can be named. Returns NULL or the step
 * that failed. */
const char *soundness_check(void (*step)(const char *name));

#endif
