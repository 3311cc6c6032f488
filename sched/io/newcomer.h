/*
 * newcomer.h: descriptors that an operation has made: on their way to the task
 * that asked for them, or for as long as it waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_NEWCOMER_H
#define SCHED_IO_NEWCOMER_H

#include "sched/ask.h"
#include "sched/io/descriptors.h"

/* The answer is an errno. */
enum verdict moat_newcomer_refuse(struct moat_task *task, int error);

/* The answer is the descriptor; or, if there is no memory for its record, an
 * error, and it is closed. */
enum verdict moat_newcomer_answer(struct worker *worker, struct moat_task *task,
                                  int fd, uint32_t flags);

/*
 * The task waits, on one side, until `settle` wakes it. The descriptor belongs
 * to the wait: whatever ends that otherwise closes it, by moat_newcomer_leave,
 * which has to be the operation's `leaves`.
 */
enum verdict moat_newcomer_wait(struct worker *worker, struct moat_task *task,
                                int fd, uint32_t flags, int side,
                                void (*settle)(struct worker *worker, int fd,
                                               unsigned what));
void moat_newcomer_leave(struct worker *worker, const void *object);
/* The task that waits. */
struct moat_task *moat_newcomer_waiter(struct worker *worker, int fd, int side);

#endif
