/*
 * opening.h: the begin and the end of a run, around what runs its tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_OPENING_H
#define SCHED_OPENING_H

#include "sched/run.h"

/* Reads options, on the caller's stack. NULL: all defaults. MOAT_E_STATE: the
 * thread has a run already. */
moat_status moat_opening_read(moat_sched_options *to,
                              const moat_sched_options *options);
/* Opens a run without tasks, whose first worker is the caller's thread. Of the
 * run, `kinds` and `out` are set and the rest is 0. */
moat_status moat_opening_begin(struct sched *run,
                               const moat_sched_options *options);
/* All tasks have ended; or, unless `status` is MOAT_OK, none has started. */
void moat_opening_end(struct sched *run, const moat_sched_options *options,
                      moat_status status);

#endif
