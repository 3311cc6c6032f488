/*
 * soundness.h: does the host still work? Asked after each run, on the thread
 * that hosts the guest and on another one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_SOUNDNESS_H
#define CORPUS_SOUNDNESS_H

#include <stdbool.h>

/* Starts the other thread. False: it cannot be started. */
bool soundness_open(void);

/* Calls what a host calls, on both threads; `step` is told before each call, so
 * that a hang has a name. Gives NULL or the step that failed. */
const char *soundness_check(void (*step)(const char *name));

#endif
