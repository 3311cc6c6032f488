/*
 * waker.h: the wakers that tasks of a run wait for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_WAKER_H
#define SCHED_WAKER_H

#include "sched/run.h"

/* Wakes the tasks whose wakers were woken since the last call, and those whose
 * jobs are done. */
void moat_wakers_look(struct worker *worker);

#endif
