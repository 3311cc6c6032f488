/*
 * seen.h: what of a run can be seen from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_SEEN_H
#define SCHED_SEEN_H

#include "sched/run.h"

/* Opens what the options ask for, before the first task. The caller closes it
 * after an error, too. */
moat_status moat_seen_open(struct sched *run,
                           const moat_sched_options *options);
/* After the last task. */
void moat_seen_close(struct sched *run, const moat_sched_options *options);
/* The trace of a run that has ended. */
void moat_seen_write(struct sched *run, const moat_sched_options *options);

#endif
