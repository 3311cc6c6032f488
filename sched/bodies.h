/*
 * bodies.h: the bodies of generators, as coroutines and inside tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_BODIES_H
#define SCHED_BODIES_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/gen.h>

struct worker;
struct moat_task;
struct op;

/* The part of a generator that is not its coroutine. The coroutine's `user`
 * points to it. */
struct gen_part {
    moat_gen_body body;
    void *arg;
    void *exception; /* left the body, and was not taken yet */
    moat_status status;
    bool ended;
    bool asks; /* what it yields is no item: see bodies.c */
    /* The migratable task that has made it, which takes it along, and its
     * number; NULL: none. */
    const struct moat_task *maker;
    uint64_t number;
};

/* The entry of every body. No other coroutine has it. */
void *moat_body_enter(moat_co *self, void *input);

/* The task that a body belongs to, since it consumes it itself or by other
 * bodies; NULL: none. */
struct moat_task *moat_body_asker(struct worker *worker, moat_co *current);
/* Asks for the task, from a body that is running. */
moat_status moat_body_ask(struct moat_task *task, const struct op *op);

/* Returns whether a body's yield asks for something. */
static inline bool moat_body_asks(const struct gen_part *part,
                                  const moat_co *co, const moat_event *event)
{
    return event->kind == MOAT_EVENT_YIELD && event->value == co && part->asks;
}

/* The consumer passes that on, to the worker of its thread or on the way. */
void moat_body_pass_on(const struct worker *worker);

#endif
