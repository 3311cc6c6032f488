/*
 * task_stack.h: stacks for the engines that bring none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_STACK_H
#define BENCH_TASK_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define TASK_STACK_BYTES ((size_t)64 * 1024)
#define TASK_GUARD_BYTES ((size_t)4096)

/* More than some 32,000 guards of their own are more mappings than the system
 * gives. */
static bool task_stack_guarded = true;

/* The lowest usable byte. */
static inline char *task_stack_map(void)
{
    size_t guard = task_stack_guarded ? TASK_GUARD_BYTES : 0;
    char *low =
        (char *)mmap(NULL, guard + TASK_STACK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (low == (char *)MAP_FAILED ||
        (guard != 0 && mprotect(low, guard, PROT_NONE) != 0))
        abort();
    return low + guard;
}

static inline void task_stack_unmap(char *stack)
{
    size_t guard = task_stack_guarded ? TASK_GUARD_BYTES : 0;

    if (munmap(stack - guard, guard + TASK_STACK_BYTES) != 0)
        abort();
}

#ifdef __cplusplus
#    define TASK_THREAD_LOCAL thread_local
#else
#    define TASK_THREAD_LOCAL _Thread_local
#endif

/* A list of stacks to be used again, each with the next one in its topmost
 * word; the thread's. */
static TASK_THREAD_LOCAL char *task_stack_spares;

/* None is used again: each is new, and goes back to the system. */
static bool task_stacks_new;

static inline char **task_stack_next(char *stack)
{
    return (char **)(void *)(stack + TASK_STACK_BYTES) - 1;
}

static inline char *task_stack_take(void)
{
    char *stack = task_stack_spares;

    if (stack == NULL)
        return task_stack_map();
    task_stack_spares = *task_stack_next(stack);
    return stack;
}

static inline void task_stack_give(char *stack)
{
    if (task_stacks_new) {
        task_stack_unmap(stack);
        return;
    }
    *task_stack_next(stack) = task_stack_spares;
    task_stack_spares = stack;
}

/* Gives those back that wait to be used again. */
static inline void task_stacks_forget(void)
{
    while (task_stack_spares != NULL) {
        char *gone = task_stack_spares;

        task_stack_spares = *task_stack_next(gone);
        task_stack_unmap(gone);
    }
}

/* Runs a benchmark's body with none used again. */
static inline uint64_t on_new_stacks(uint64_t (*body)(size_t), size_t count)
{
    uint64_t sum;

    task_stacks_forget();
    task_stacks_new = true;
    sum = body(count);
    task_stacks_new = false;
    return sum;
}

#endif
