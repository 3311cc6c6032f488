/*
 * accept.h: what others need of accepting.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_ACCEPT_H
#define SCHED_IO_ACCEPT_H

#include "sched/io/calls.h"
#include "sched/run.h"
#include "sched/task.h"

/* Waits until there may be a free descriptor, or until it is time to try again.
 * False: errno is set. */
bool moat_accept_starve(const struct call *call);
/* The task has ended: closes the connection that belongs to it. Call only if it
 * is connected. */
void moat_accept_end(struct worker *worker, struct moat_task *task);

#endif
