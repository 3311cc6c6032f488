/*
 * dump.h: what every task of a run does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_DUMP_H
#define SCHED_DUMP_H

#include <stdbool.h>

#include "sched/run.h"
#include "sched/text.h"

/* Some tasks of a run. */
struct dump_part {
    const struct worker *home;   /* those of one worker; NULL: all           */
    const struct worker *walker; /* the calling thread's; NULL: of no run's  */
    uint64_t now;
    uint64_t round; /* without those in this dump already; 0: with all */
};

/* Appends what they do. The run is locked. */
void moat_dump_put(struct sched *run, const struct dump_part *part, bool json,
                   struct text *text);
/* Appends what one of the worker's does. */
void moat_dump_one(struct worker *worker, const struct moat_task *task,
                   struct text *text);
/* Appends what all do, whole. */
void moat_dump_all(struct worker *worker, bool json, struct text *text);

#endif
