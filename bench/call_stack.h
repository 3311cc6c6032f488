/*
 * call_stack.h: stacks for the engines of bench/call that bring none: one that
 * is kept, and guarded ones that live for one call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CALL_STACK_H
#define BENCH_CALL_STACK_H

#include <stdlib.h>
#include <sys/mman.h>

#include "bench/call.h"

#define CALL_GUARD_BYTES ((size_t)4096)

/* The lowest usable byte. */
static inline char *map_stack(void)
{
    char *low = (char *)mmap(NULL, CALL_GUARD_BYTES + CALL_STACK_BYTES,
                             PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (low == (char *)MAP_FAILED ||
        mprotect(low, CALL_GUARD_BYTES, PROT_NONE) != 0)
        abort();
    return low + CALL_GUARD_BYTES;
}

static inline void unmap_stack(char *stack)
{
    if (munmap(stack - CALL_GUARD_BYTES, CALL_GUARD_BYTES + CALL_STACK_BYTES) !=
        0)
        abort();
}

#endif
