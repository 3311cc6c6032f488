/*
 * switch_ucontext.c: glibc's swapcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)256 * 1024)

struct task {
    ucontext_t guest, host;
    void *(*entry)(struct task *, void *);
    void *value;
    void *stack;
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

/* makecontext passes ints, so the pointer comes in halves. */
static void run_entry(unsigned high, unsigned low)
{
    struct task *self =
        (struct task *)(((uintptr_t)high << 32) | (uintptr_t)low);

    self->entry(self, self->value);
    abort(); /* the guests of the cases never return */
}

static struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = calloc(1, sizeof(*made));
    uintptr_t address = (uintptr_t)made;

    if (made == NULL)
        abort();
    made->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made->stack == MAP_FAILED || getcontext(&made->guest) != 0)
        abort();
    made->entry = guest;
    made->guest.uc_stack.ss_sp = made->stack;
    made->guest.uc_stack.ss_size = STACK_BYTES;
    made->guest.uc_link = NULL;
    makecontext(&made->guest, (void (*)(void))run_entry, 2,
                (unsigned)(address >> 32), (unsigned)address);
    return made;
}

static void drop_task(struct task *task)
{
    munmap(task->stack, STACK_BYTES);
    free(task);
}

#include "bench/switch_cases.h"

const struct bench_engine engine_ucontext = {"ucontext", 0.02, 0,
                                             SWITCH_BODIES};
