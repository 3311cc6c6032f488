/*
 * call_ucontext.c: glibc's makecontext and swapcontext.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ucontext.h>

#include "bench/call.h"
#include "bench/task_stack.h"

static ucontext_t host_context, guest_context;
static uint64_t value;

static void guest(void)
{
    value++;
}

static inline uint64_t call(size_t number, char *stack)
{
    if (getcontext(&guest_context) != 0)
        abort();
    guest_context.uc_stack.ss_sp = stack;
    guest_context.uc_stack.ss_size = TASK_STACK_BYTES;
    guest_context.uc_link = &host_context;
    makecontext(&guest_context, guest, 0);
    value = number;
    if (swapcontext(&host_context, &guest_context) != 0)
        abort();
    return value;
}

static uint64_t run_cached(size_t count)
{
    char *stack = task_stack_map();
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += call(i, stack);
    task_stack_unmap(stack);
    return sum;
}

static uint64_t run_fresh(size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        char *stack = task_stack_map();

        sum += call(i, stack);
        task_stack_unmap(stack);
    }
    return sum;
}

const struct call_engine call_ucontext = {"ucontext", run_cached, run_fresh,
                                          0.02, 0};
