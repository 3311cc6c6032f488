/*
 * task_pth.h: a user-space context of GNU Pth, as the cases of the benchmarks
 * use one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_PTH_H
#define BENCH_TASK_PTH_H

#include <pth.h>
#include <stdlib.h>

#include "bench/task_stack.h"

struct task {
    pth_uctx_t guest, host;
    void *(*entry)(struct task *, void *);
    void *value;
    char *stack;
};

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    pth_uctx_switch(task->host, task->guest);
    return task->value;
}

/* The resume after which the guest has returned. */
static inline void *resume_last(struct task *task, void *input)
{
    return resume(task, input);
}

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    pth_uctx_switch(task->guest, task->host);
    return task->value;
}

static inline void *hand_over(struct task *from, struct task *to, void *value)
{
    to->value = value;
    pth_uctx_switch(from->guest, to->guest);
    return from->value;
}

static void run_entry(void *data)
{
    struct task *self = data;

    yield(self, self->entry(self, self->value));
    abort(); /* nobody resumes what has ended */
}

static inline struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = calloc(1, sizeof(*made));

    if (made == NULL)
        abort();
    made->entry = guest;
    made->stack = task_stack_take();
    if (!pth_uctx_create(&made->host) || !pth_uctx_create(&made->guest) ||
        !pth_uctx_make(made->guest, made->stack, TASK_STACK_BYTES, NULL,
                       run_entry, made, NULL))
        abort();
    return made;
}

static inline void drop_task(struct task *task)
{
    pth_uctx_destroy(task->guest);
    pth_uctx_destroy(task->host);
    task_stack_give(task->stack);
    free(task);
}

#endif
