/*
 * task_ucontext.h: a coroutine on glibc's swapcontext, as the cases of the
 * benchmarks use one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_UCONTEXT_H
#define BENCH_TASK_UCONTEXT_H

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "bench/task_stack.h"

struct task {
    ucontext_t guest, host;
    void *(*entry)(struct task *, void *);
    void *value;
    char *stack;
};

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    swapcontext(&task->host, &task->guest);
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
    swapcontext(&task->guest, &task->host);
    return task->value;
}

static inline void *hand_over(struct task *from, struct task *to, void *value)
{
    to->value = value;
    swapcontext(&from->guest, &to->guest);
    return from->value;
}

/* makecontext passes ints, so the pointer comes in halves. */
static void run_entry(unsigned high, unsigned low)
{
    struct task *self =
        (struct task *)(((uintptr_t)high << 32) | (uintptr_t)low);

    self->value = self->entry(self, self->value); /* and on by uc_link */
}

static inline struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = malloc(sizeof(*made));
    uintptr_t address = (uintptr_t)made;

    if (made == NULL || getcontext(&made->guest) != 0)
        abort();
    made->entry = guest;
    made->stack = task_stack_take();
    made->guest.uc_stack.ss_sp = made->stack;
    made->guest.uc_stack.ss_size = TASK_STACK_BYTES;
    made->guest.uc_link = &made->host;
    makecontext(&made->guest, (void (*)(void))run_entry, 2,
                (unsigned)(address >> 32), (unsigned)address);
    return made;
}

static inline void drop_task(struct task *task)
{
    task_stack_give(task->stack);
    free(task);
}

#endif
