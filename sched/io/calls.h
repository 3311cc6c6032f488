/*
 * calls.h: the part that all calls share: they try first, and then wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_CALLS_H
#define SCHED_IO_CALLS_H

#include <stdbool.h>

#include "sched/ask.h"
#include "sched/io/descriptors.h"
#include "sched/io/task_errno.h"

/* A call on a descriptor, on the stack of the task that makes it. */
struct call {
    struct moat_task *task;
    struct descriptor *record;
    int fd, side;
    uint32_t edges; /* before the last try */
    uint64_t deadline;
};

/* False: the call is over; errno is set. */
static inline bool begin_call(struct call *call, int fd, int side,
                              uint64_t deadline)
{
    call->task = asker();
    call->fd = fd;
    call->side = side;
    call->deadline = deadline;
    TASK_ERRNO = EPERM;
    if (call->task == NULL)
        return false;
    call->record = moat_descriptor_use(call->task, fd);
    return call->record != NULL;
}

static inline void before_try(struct call *call)
{
    call->edges = edges_of(call->record, call->side);
}

/* Returns whether to try again after a failed try, and waits first if the
 * system call would have blocked. False: errno is set. */
static inline bool try_again(const struct call *call)
{
    int error = TASK_ERRNO;

    if (error == EINTR)
        return true;
    if (error != EAGAIN && error != EWOULDBLOCK)
        return false;
    return moat_descriptor_block(call->task, call->record, call->fd, call->side,
                                 call->edges, call->deadline);
}

#endif
