/*
 * ask.h: how a task asks its worker for something.
 *
 * The task writes its wish, yields, and reads the answer. An operation performs
 * the wish on the host's stack: no guest's trap, limit or cancellation can stop
 * it half way. It must not touch memory whose address the guest has given: a
 * bad pointer is the guest's fault, so items and options are copied by the
 * guest, to and from memory of its task.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_ASK_H
#define SCHED_ASK_H

#include <stddef.h>

#include "sched/bodies.h"
#include "sched/run.h"
#include "sched/task.h"

enum verdict {
    GOES_ON, /* `status` is the answer: the task runs on   */
    QUEUED   /* it is in a run queue, or waits to be woken */
};

/* An operation that a task can ask for. */
struct op {
    enum verdict (*perform)(struct worker *, struct moat_task *);
    const char *words; /* "receives from channel", for reports  */
    moat_status late;  /* when the deadline passes              */
    bool to_the_end;   /* the wait can be ended by nothing else */
    bool on_tasks;     /* it ends when tasks end                */
    bool from_outside; /* it can end although all tasks wait    */
    bool may_be_stuck; /* to_the_end, but a deadlock ends it    */
    bool for_task;     /* what it waits for is a task...        */
    bool for_fd;       /* ...or a descriptor: a number          */
    bool is_part;      /* of a call that goes on                */
    bool from_now;     /* its deadline was not over when asked  */
    /* Called when the task stops waiting for the object and has not got it, so
     * that others may go on. NULL: no task depends on that. */
    void (*leaves)(struct worker *, const void *object);
};

/* Asks for the host, which cannot wait, or for a task by the body of a
 * generator. */
moat_status moat_sched_ask_slowly(struct moat_task *task, const struct op *op);

/* Who asks: the running task, or the worker's host. NULL: neither, since the
 * caller is outside of a run or in a coroutine inside a task that is not the
 * body of a generator. */
static inline struct moat_task *asker(void)
{
    struct worker *worker = moat_sched_worker;
    moat_co *current;

    if (worker == NULL)
        return NULL;
    /* Bit 0 marks the slow path (docs/record.md). */
    current = (moat_co *)(MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~(uintptr_t)1);
    if (current == NULL)
        return &worker->host;
    if (MOAT_LIKELY(worker->running != NULL && worker->running->co == current))
        return worker->running;
    return moat_body_asker(worker, current);
}

static inline bool is_host(const struct moat_task *task)
{
    return task->magic != TASK_MAGIC;
}

static inline __attribute__((always_inline)) moat_status
ask(struct moat_task *task, const struct op *op)
{
    if (MOAT_UNLIKELY(task->asks_slowly))
        return moat_sched_ask_slowly(task, op);
    task->op = op;
    task->status = MOAT_E_STATE; /* if the yield is refused: in a host call */
    /* A value that no yield of the guest's own has. */
    (void)moat_co_yield(task->co, &task->op);
    return task->status;
}

static inline enum verdict answer(struct moat_task *task, moat_status status)
{
    task->status = status;
    return GOES_ON;
}

/* Makes room for `bytes` beside the task; false: no memory. */
bool moat_sched_room(struct moat_task *task, size_t bytes);

#endif
