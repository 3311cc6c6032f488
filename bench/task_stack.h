/*
 * task_stack.h: stacks for the engines that bring none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TASK_STACK_H
#define BENCH_TASK_STACK_H

#include <stdbool.h>
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

#endif
