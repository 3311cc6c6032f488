/*
 * mutex.h: what conditions do with a mutex.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_MUTEX_H
#define SCHED_MUTEX_H

#include "sched/sync.h"

/* Unlocks the mutex for a wait. The owner will lock it again, so its memory is
 * kept until then. False: no memory. */
bool moat_mutex_leave(struct worker *worker, struct moat_sync *mutex);

/* Locks it again. Neither a cancellation nor a deadline ends this wait. */
moat_status moat_mutex_lock_again(struct moat_sync *mutex,
                                  struct moat_task *task);

#endif
