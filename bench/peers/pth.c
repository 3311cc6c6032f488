/*
 * pth.c: GNU Pth's user-space contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pth.h>
#include <stdlib.h>

#include "bench/peers/stacks.h"

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

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    pth_uctx_switch(task->guest, task->host);
    return task->value;
}

static inline void *transfer(struct task *from, struct task *to, void *value)
{
    to->value = value;
    pth_uctx_switch(from->guest, to->guest);
    return from->value;
}

static void run_entry(void *data)
{
    struct task *self = data;

    yield(self, self->entry(self, self->value));
    abort(); /* an ended task is never resumed */
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
    task_stack_release(task->stack);
    free(task);
}

#define PEER          peer_pth
#define PEER_NAME     "GNU Pth"
#define PEER_SHARE    0.05
#define PEER_THREADED false
#define PEER_MAX_SET  0
#include "bench/peers/cases.h"
