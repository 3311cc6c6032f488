/*
 * idle.h: time that passes, and what is done when no task can run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IDLE_H
#define SCHED_IDLE_H

#include "sched/run.h"

/* Wakes those whose deadline has passed. */
void moat_idle_fire(struct worker *worker);

/* No task can run: sleeps until one can, or ends the waits of a deadlock. */
void moat_idle(struct worker *worker);

#endif
