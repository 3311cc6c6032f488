/*
 * debug.h: the runs of the process, for debuggers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_DEBUG_H
#define SCHED_DEBUG_H

#include "sched/run.h"

void moat_runs_add(struct sched *run);
void moat_runs_remove(struct sched *run);

#endif
