/*
 * task_moat.h: moat's coroutine as the cases of the benchmarks use one, with
 * the status and the event of each resume checked, as a careful host would.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_MOAT_H
#define BENCH_TASK_MOAT_H

#include <stdlib.h>

#include <moat/moat.h>

struct task; /* a moat_co under the name that the cases use */

static inline void *resume_to(struct task *task, void *input,
                              moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume((moat_co *)task, input, &event) != MOAT_OK ||
        event.kind != kind)
        abort();
    return event.value;
}

static inline void *resume(struct task *task, void *input)
{
    return resume_to(task, input, MOAT_EVENT_YIELD);
}

/* The resume after which the guest has returned. */
static inline void *resume_last(struct task *task, void *input)
{
    return resume_to(task, input, MOAT_EVENT_RETURN);
}

static inline void *yield(struct task *task, void *value)
{
    return moat_co_yield((moat_co *)task, value);
}

static inline void *hand_over(struct task *from, struct task *to, void *value)
{
    void *input;

    if (moat_co_switch_to((moat_co *)from, (moat_co *)to, value, &input) !=
        MOAT_OK)
        abort();
    return input;
}

static moat_co_options task_options = MOAT_CO_OPTIONS_INIT;

static inline struct task *make_task(void *(*guest)(struct task *, void *))
{
    moat_co *co;

    /* A cast of one pointer parameter; the ABI is the same. */
    if (moat_co_create(&co, (moat_entry)(void (*)(void))guest, &task_options) !=
        MOAT_OK)
        abort();
    return (struct task *)co;
}

static inline void drop_task(struct task *task)
{
    moat_co_destroy((moat_co *)task);
}

#endif
