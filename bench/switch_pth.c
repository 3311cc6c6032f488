/*
 * switch_pth.c: GNU Pth, by its user-space contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pth.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)256 * 1024)

struct task {
    pth_uctx_t guest, host;
    void *(*entry)(struct task *, void *);
    void *value;
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

static void run_entry(void *data)
{
    struct task *self = data;

    self->entry(self, self->value);
    abort(); /* the guests of the cases never return */
}

static struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = calloc(1, sizeof(*made));

    if (made == NULL || !pth_uctx_create(&made->host) ||
        !pth_uctx_create(&made->guest) ||
        !pth_uctx_make(made->guest, NULL, STACK_BYTES, NULL, run_entry, made,
                       NULL))
        abort();
    made->entry = guest;
    return made;
}

static void drop_task(struct task *task)
{
    pth_uctx_destroy(task->guest);
    pth_uctx_destroy(task->host);
    free(task);
}

#include "bench/switch_cases.h"

const struct bench_engine engine_pth = {"GNU Pth", 0.02, 0, SWITCH_BODIES};
