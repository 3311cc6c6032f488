/*
 * fire.h: passes the events of a worker's poller to the tasks that wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_FIRE_H
#define SCHED_IO_FIRE_H

#include <stdint.h>

#include "sched/run.h"

/* Wakes the tasks that wait for the poller's latest events. */
void moat_descriptors_fire(struct worker *worker);
/* Looks at the poller, without a wait. */
void moat_descriptors_look(struct worker *worker);
/* Sleeps in the poller, without the run's lock. */
void moat_descriptors_sleep(struct worker *worker, uint64_t deadline);

#endif
