/*
 * context.c: the context in which a coroutine begins.
 *
 * SPDX-License-Identifier: MIT
 */
#include "switch/context.h"

#include <stdlib.h>

/* makecontext takes the top of a stack as a size; nothing looks at the rest. */
#define FIRST_BYTES 1024

#define ALIGNMENT ((uintptr_t)63)

/* makecontext passes ints, so a pointer comes in halves. */
#define HIGH(pointer) ((unsigned)((uint64_t)(uintptr_t)(pointer) >> 32))
#define LOW(pointer)  ((unsigned)(uintptr_t)(pointer))
#define WHOLE(high, low) \
    ((void *)(uintptr_t)(((uint64_t)(high) << 32) | (uint64_t)(low)))

static void start(unsigned first_high, unsigned first_low, unsigned co_high,
                  unsigned co_low)
{
    void (*first)(moat_co *) =
        (void (*)(moat_co *))(uintptr_t)WHOLE(first_high, first_low);

    first(WHOLE(co_high, co_low));
}

ucontext_t *moat_context_begin(uintptr_t base, void (*first)(moat_co *co),
                               moat_co *co)
{
    uintptr_t address = (uintptr_t)first;
    ucontext_t *context =
        (ucontext_t *)((base - sizeof(ucontext_t)) & ~ALIGNMENT);

    if (getcontext(context) != 0)
        abort();
    context->uc_stack.ss_sp = (char *)context - FIRST_BYTES;
    context->uc_stack.ss_size = FIRST_BYTES;
    context->uc_link = NULL;
    makecontext(context, (void (*)(void))start, 4, HIGH(address), LOW(address),
                HIGH(co), LOW(co));
    return context;
}
