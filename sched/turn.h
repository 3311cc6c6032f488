/*
 * turn.h: the loop that runs tasks, turn by turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TURN_H
#define SCHED_TURN_H

#include "sched/run.h"

/* Returns when all tasks of the run have ended. */
void moat_turns(struct worker *worker);

#endif
