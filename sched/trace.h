/*
 * trace.h: what has happened in a run, in the trace event format of Chrome's
 * JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_TRACE_H
#define SCHED_TRACE_H

#include "sched/run.h"
#include "sched/task.h"

/* Makes a trace for each worker, of the last `room` events; false: no memory.
 */
bool moat_events_open(struct sched *run, size_t room);
void moat_events_close(struct sched *run);
/* Writes the whole of it, as one object of JSON. */
moat_status moat_events_write(const struct sched *run, int fd);

/* A task was spawned by the one that has its turn. */
void moat_events_spawn(struct worker *worker, const struct moat_task *task);
/* A turn begins: the wait before it has ended. */
void moat_events_begin(struct worker *worker, const struct moat_task *task);
/* A turn has ended. */
void moat_events_turn(struct worker *worker);
/* A task has ended. */
void moat_events_end(struct worker *worker, const struct moat_task *task);

#endif
