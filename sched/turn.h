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
/* Looks at the clock and the poller, and runs tasks until none can run or a
 * round is over. */
void moat_turns_round(struct worker *worker);

#endif
