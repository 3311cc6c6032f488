/*
 * ucontext.c: glibc's makecontext and swapcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "bench/peers/stacks.h"

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

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    swapcontext(&task->guest, &task->host);
    return task->value;
}

static inline void *transfer(struct task *from, struct task *to, void *value)
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

    self->value = self->entry(self, self->value); /* returns by uc_link */
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
    task_stack_release(task->stack);
    free(task);
}

static ucontext_t host_context, guest_context;
static uint64_t life_value;

static void increment(void)
{
    life_value++;
}

static inline uintptr_t live(uintptr_t number, char *stack)
{
    if (getcontext(&guest_context) != 0)
        abort();
    guest_context.uc_stack.ss_sp = stack;
    guest_context.uc_stack.ss_size = TASK_STACK_BYTES;
    guest_context.uc_link = &host_context;
    makecontext(&guest_context, increment, 0);
    life_value = number;
    if (swapcontext(&host_context, &guest_context) != 0)
        abort();
    return life_value;
}

#define PEER            peer_ucontext
#define PEER_NAME       "ucontext"
#define PEER_SHARE      0.1
#define PEER_THREADED   false
#define PEER_MAX_SET    BENCH_MAX_GUARDED
#define PEER_LIFE       live
#define PEER_LIFE_STACK 1
#include "bench/peers/cases.h"
