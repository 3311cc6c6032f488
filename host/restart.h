/*
 * restart.h: scripts that are started again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_RESTART_H
#define HOST_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "script.h"

/* The runs of one script. All zeros at first. */
struct restart {
    unsigned runs;       /* begun                                          */
    unsigned in_a_row;   /* restarts, none of them after a long run        */
    uint64_t started_at; /* the last run                                   */
    uint64_t due;        /* the next run                                   */
    uint64_t *times;     /* of the restarts within the period; a ring of
                            options->max; NULL: there was none             */
    unsigned count, oldest;
    size_t file;
    bool ended;           /* for good, and its result has been taken */
    struct restart *next; /* on a list of those that wait */
};

/* Notes that a run begins, whose result this is. */
void restart_begin(struct restart *restart, struct result *result,
                   uint64_t now);

/* Decides whether the script starts again, and notes it in the result of the
 * run that has ended, and in `due`. Without memory it does not. */
void restart_judge(struct restart *restart,
                   const struct restart_options *options, struct result *result,
                   uint64_t now);

/* Adds a script to the list, by when it is due. */
void restart_wait(struct restart **list, struct restart *restart);

void restart_free(struct restart *restart);

#endif
