/*
 * turns.h: the scripts of one thread, which take turns.
 *
 * Without slices one script runs at a time. With slices up to --at-once scripts
 * run, each for a slice in its turn. One that waits to be started again takes
 * part in neither.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_TURNS_H
#define HOST_TURNS_H

#include <stdbool.h>
#include <stddef.h>

#include "jobs.h"

struct slot;

struct turns {
    struct jobs *jobs;
    struct slot **slots; /* those in use come first */
    size_t made, running, max;
    struct restart *waiting; /* the first is due first */
};

/* Returns false after an error message. */
bool turns_init(struct turns *turns, struct jobs *jobs);

/* Starts scripts as long as there is room, then runs each for its turn. Returns
 * false once there are none left. */
bool turns_go_on(struct turns *turns);

void turns_close(struct turns *turns);

#endif
