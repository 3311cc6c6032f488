/*
 * stacks.h: stacks for the peers that do not allocate their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PEERS_STACKS_H
#define BENCH_PEERS_STACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define TASK_STACK_BYTES ((size_t)64 * 1024)
#define TASK_GUARD_BYTES ((size_t)4096)

#ifdef __cplusplus
#    define TASK_THREAD_LOCAL thread_local
#else
#    define TASK_THREAD_LOCAL _Thread_local
#endif

/* False: no guards, for more stacks than the limit on mappings allows with
 * them. */
static bool task_stacks_guarded = true;

/* False: every stack is newly mapped, and unmapped after its use. */
static bool task_stacks_reused = true;

/* The thread's stacks that wait for reuse: a list, linked by the topmost word
 * of each. */
static TASK_THREAD_LOCAL char *task_stack_spares;

/* Returns the lowest usable byte. */
static inline char *task_stack_map(void)
{
    size_t guard = task_stacks_guarded ? TASK_GUARD_BYTES : 0;
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
    size_t guard = task_stacks_guarded ? TASK_GUARD_BYTES : 0;

    if (munmap(stack - guard, guard + TASK_STACK_BYTES) != 0)
        abort();
}

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

static inline void task_stack_release(char *stack)
{
    if (!task_stacks_reused) {
        task_stack_unmap(stack);
        return;
    }
    *task_stack_next(stack) = task_stack_spares;
    task_stack_spares = stack;
}

static inline void task_stacks_unmap_spares(void)
{
    while (task_stack_spares != NULL) {
        char *stack = task_stack_spares;

        task_stack_spares = *task_stack_next(stack);
        task_stack_unmap(stack);
    }
}

#endif
