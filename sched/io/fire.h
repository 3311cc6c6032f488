/*
 * fire.h: what a worker's poller tells goes to the tasks that wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_FIRE_H
#define SCHED_IO_FIRE_H

#include <stdint.h>

#include "sched/run.h"

/* What the poller has told goes to those who wait. */
void moat_descriptors_fire(struct worker *worker);
/* Looks at the poller, without a wait. */
void moat_descriptors_look(struct worker *worker);
/* Sleeps in the poller, without the run's lock. */
void moat_descriptors_sleep(struct worker *worker, uint64_t deadline);

#endif
