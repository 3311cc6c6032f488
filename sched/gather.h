/*
 * gather.h: a dump for a thread that is not in the run, of which each worker
 * writes its part.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_GATHER_H
#define SCHED_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sched/run.h"
#include "sched/text.h"

/* NULL: no memory. */
struct gather *moat_gather_open(struct sched *run);
/* Waits for the dumps that are being made. Later ones are refused. */
void moat_gather_shut(struct gather *gather);
void moat_gather_free(struct gather *gather);

/* Appends what all tasks do. MOAT_E_TIMEOUT: nothing is known of those of the
 * one worker; MOAT_E_STATE: the run has ended. */
moat_status moat_gather_dump(struct gather *gather, bool json,
                             struct text *text);

/* A worker's part of a dump. */
enum part { PART_NONE, PART_ASKED, PART_BEGUN };

void moat_gather_part(struct worker *worker);

/* Between two turns: the worker writes its part if one is asked for. */
static inline void moat_gather_look(struct worker *worker)
{
    if (MOAT_UNLIKELY(atomic_load_explicit(&worker->part,
                                           memory_order_relaxed) != PART_NONE))
        moat_gather_part(worker);
}

#endif
