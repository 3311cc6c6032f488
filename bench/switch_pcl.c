/*
 * switch_pcl.c: the Portable Coroutine Library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcl.h>
#include <stdlib.h>

#define STACK_BYTES (256 * 1024)

struct task {
    coroutine_t co;
    void *(*entry)(struct task *, void *);
    void *value;
};

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    co_call(task->co);
    return task->value;
}

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    co_resume();
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

    if (made == NULL)
        abort();
    made->entry = guest;
    made->co = co_create(run_entry, made, NULL, STACK_BYTES);
    if (made->co == NULL)
        abort();
    return made;
}

static void drop_task(struct task *task)
{
    co_delete(task->co);
    free(task);
}

#include "bench/switch_cases.h"

const struct bench_engine engine_pcl = {"PCL", 0.05, 0, SWITCH_BODIES};
