/*
 * bodies.c: how the body of a generator asks for something when it runs inside
 * a task.
 *
 * A task asks by a yield to its worker. A body's yield goes to its consumer,
 * which is suspended in moat_gen_next or in a function that ends the body. So
 * the body yields its own handle, with a mark, and the consumer yields for it:
 * to the worker, if it is the task's own code, otherwise, as a body, to its own
 * consumer. Once the answer is there they resume each other on the same way.
 * The operation's data lies in the task all the while.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/bodies.h"
#include "sched/ask.h"

void *moat_body_enter(moat_co *self, void *input)
{
    moat_gen *gen = input;
    const struct gen_part *part = moat_co_user(self);

    if (!part->ended)
        part->body(gen, part->arg);
    return NULL;
}

static bool is_body(const moat_co *co)
{
    return moat_co_entry(co) == moat_body_enter;
}

/* Bit 0 marks the slow path (docs/record.md). */
static moat_co *resumer_of(const moat_co *co)
{
    return (moat_co *)(co->resumer & ~(uintptr_t)1);
}

struct moat_task *moat_body_asker(struct worker *worker, moat_co *current)
{
    struct moat_task *task = worker->running;

    if (task == NULL || is_host(task) || task->co == NULL)
        return NULL;
    for (moat_co *co = current; co != task->co; co = resumer_of(co))
        if (co == NULL || !is_body(co))
            return NULL;
    task->asks_slowly = true;
    return task;
}

static void yield_to_consumer(moat_co *self)
{
    struct gen_part *part = moat_co_user(self);

    part->asks = true;
    (void)moat_co_yield(self, self);
    part->asks = false;
}

moat_status moat_body_ask(struct moat_task *task, const struct op *op)
{
    task->op = op;
    task->status = MOAT_E_STATE; /* unless all pass it on */
    yield_to_consumer(moat_co_current());
    return task->status;
}

void moat_body_pass_on(const struct worker *worker)
{
    moat_co *current = moat_co_current();

    if (worker == NULL || worker->running == NULL || current == NULL)
        return;
    if (current == worker->running->co)
        (void)moat_co_yield(current, &worker->running->op);
    else if (is_body(current))
        yield_to_consumer(current);
}
