/*
 * newcomer.c: descriptors that an operation has made.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <unistd.h>

#include "sched/io/newcomer.h"
#include "sched/wait.h"

enum verdict moat_newcomer_refuse(struct moat_task *task, int error)
{
    task->wish.of_fd.error = error;
    return answer(task, MOAT_E_SYSTEM);
}

enum verdict moat_newcomer_answer(struct worker *worker, struct moat_task *task,
                                  int fd, uint32_t flags)
{
    if (moat_descriptor_begin(worker, fd, flags) == NULL) {
        int error = errno;

        (void)close(fd);
        return moat_newcomer_refuse(task, error);
    }
    task->wish.of_fd.fd = fd;
    return answer(task, MOAT_OK);
}

void moat_newcomer_leave(struct worker *worker, const void *object)
{
    int fd = (int)(uintptr_t)object;

    moat_descriptor_forget(worker, fd);
    (void)close(fd);
}

enum verdict moat_newcomer_wait(struct worker *worker, struct moat_task *task,
                                int fd, uint32_t flags, int side,
                                void (*settle)(struct worker *worker, int fd,
                                               unsigned what))
{
    struct descriptor *record = moat_descriptor_begin(worker, fd, flags);
    const void *object = (const void *)(uintptr_t)(unsigned)fd;
    int error =
        record == NULL ? ENOMEM : moat_descriptor_watch(worker, record, fd);
    enum verdict verdict;

    if (error != 0) {
        moat_newcomer_leave(worker, object);
        return moat_newcomer_refuse(task, error);
    }
    record->settle = settle;
    verdict = moat_sched_wait(worker, task, &record->waiters[side],
                              task->deadline, object);
    if (list_empty(&record->waiters[side])) /* it may not wait */
        moat_newcomer_leave(worker, object);
    return verdict;
}

struct moat_task *moat_newcomer_waiter(struct worker *worker, int fd, int side)
{
    const struct descriptor *record = moat_descriptor_at(worker->run, fd);

    return first_of(&record->waiters[side])->task;
}
