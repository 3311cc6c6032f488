/*
 * ask.c: what the host asks for, and room for what does not fit into a task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/ask.h"

_Thread_local
    __attribute__((tls_model("initial-exec"))) struct worker *moat_sched_worker;

/* A host that drives the run may be about to sleep in its loop. */
static void tell_loop(struct worker *worker)
{
    if (worker->run->driven && worker->running == NULL && can_run(worker))
        moat_bell_ring(worker->bell);
}

static void *perform_for_host(void *arg)
{
    struct worker *worker = moat_sched_worker;
    struct moat_task *host = arg;

    run_lock(worker->run);
    (void)host->op->perform(worker, host);
    tell_loop(worker);
    run_unlock(worker->run);
    return NULL;
}

/* The destructors of local values ask from a coroutine, which must not be
 * stopped under the lock of the run. */
static moat_status ask_host(struct moat_task *host, const struct op *op)
{
    moat_co *current = moat_co_current();

    host->op = op;
    if (current == NULL)
        (void)perform_for_host(host);
    else
        (void)moat_call_on_parent(current, perform_for_host, host);
    return host->status;
}

moat_status moat_sched_ask_slowly(struct moat_task *task, const struct op *op)
{
    if (is_host(task))
        return ask_host(task, op);
    if (moat_co_current() != task->co)
        return moat_body_ask(task, op);
    task->asks_slowly = false; /* the body has not asked, or has ended */
    return ask(task, op);
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
