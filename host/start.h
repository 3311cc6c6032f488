/*
 * start.h: the engine's start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_START_H
#define HOST_START_H

#include <stdbool.h>

/* Initialises the engine. Returns false after an error message of `command`. */
bool engine_start(const char *command);

#endif
