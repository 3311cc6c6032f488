/*
 * ask.c: what the host asks for, and room for what does not fit into a task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/ask.h"

_Thread_local
    __attribute__((tls_model("initial-exec"))) struct worker *moat_sched_worker;

moat_status moat_sched_ask_host(struct moat_task *host, const struct op *op)
{
    struct worker *worker = moat_sched_worker;

    host->op = op;
    run_lock(worker->run);
    (void)op->perform(worker, host);
    run_unlock(worker->run);
    return host->status;
}

static enum verdict make_room(struct worker *worker, struct moat_task *task)
{
    size_t bytes = task->wish.room.bytes;
    void *room = malloc(bytes);

    (void)worker;
    if (room == NULL)
        return answer(task, MOAT_E_NOMEM);
    free(task->room);
    task->room = room;
    task->room_bytes = bytes;
    return answer(task, MOAT_OK);
}

static const struct op makes_room = {
    .perform = make_room, .words = "takes memory", .is_part = true};

bool moat_sched_room(struct moat_task *task, size_t bytes)
{
    if (bytes <= task->room_bytes)
        return true;
    task->wish.room.bytes = bytes;
    return ask(task, &makes_room) == MOAT_OK;
}
