/*
 * task_pcl.h: a coroutine of the Portable Coroutine Library, as the cases of
 * the benchmarks use one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_PCL_H
#define BENCH_TASK_PCL_H

#include <pcl.h>
#include <stdlib.h>

#include "bench/task_stack.h"

struct task {
    coroutine_t co; /* NULL: it has ended, and PCL has deleted it */
    void *(*entry)(struct task *, void *);
    void *value;
    char *stack;
};

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    co_call(task->co);
    return task->value;
}

/* The resume after which the guest has returned. */
static inline void *resume_last(struct task *task, void *input)
{
    void *result = resume(task, input);

    task->co = NULL;
    return result;
}

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    co_resume();
    return task->value;
}

static inline void *hand_over(struct task *from, struct task *to, void *value)
{
    to->value = value;
    co_call(to->co);
    return from->value;
}

static void run_entry(void *data)
{
    struct task *self = data;

    self->value = self->entry(self, self->value);
}

static inline struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = calloc(1, sizeof(*made));

    if (made == NULL)
        abort();
    made->entry = guest;
    made->stack = task_stack_take();
    made->co = co_create(run_entry, made, made->stack, (int)TASK_STACK_BYTES);
    if (made->co == NULL)
        abort();
    return made;
}

static inline void drop_task(struct task *task)
{
    if (task->co != NULL)
        co_delete(task->co);
    task_stack_give(task->stack);
    free(task);
}

#endif
