/*
 * newcomer.h: descriptors that an operation has made, on their way to the task
 * that asked for them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_NEWCOMER_H
#define SCHED_IO_NEWCOMER_H

#include <errno.h>
#include <unistd.h>

#include "sched/ask.h"
#include "sched/io/descriptors.h"

static inline enum verdict moat_newcomer_refuse(struct moat_task *task,
                                                int error)
{
    task->wish.of_fd.error = error;
    return answer(task, MOAT_E_SYSTEM);
}

/* The answer is the descriptor; or, if there is no memory for its record, an
 * error, and it is closed. */
static inline enum verdict moat_newcomer_answer(struct worker *worker,
                                                struct moat_task *task, int fd,
                                                uint32_t flags)
{
    if (moat_descriptor_begin(worker, fd, flags) == NULL) {
        int error = errno;

        (void)close(fd);
        return moat_newcomer_refuse(task, error);
    }
    task->wish.of_fd.fd = fd;
    return answer(task, MOAT_OK);
}

#endif
