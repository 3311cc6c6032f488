/*
 * pcl.c: the Portable Coroutine Library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcl.h>
#include <stdlib.h>

#include "bench/peers/stacks.h"

struct task {
    coroutine_t co; /* NULL: ended, and deleted by PCL */
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

static inline void *transfer(struct task *from, struct task *to, void *value)
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
    task_stack_release(task->stack);
    free(task);
}

#define PEER             peer_pcl
#define PEER_NAME        "PCL"
#define PEER_SHARE       0.05
#define PEER_THREADED    false
#define PEER_MAX_SET     0
#define PEER_RESUME_LAST resume_last
#include "bench/peers/cases.h"
