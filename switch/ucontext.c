/*
 * ucontext.c: the backend of makecontext and swapcontext.
 *
 * Each of their calls also stores and sets the signal mask, which takes a
 * system call, and the control words of the floating-point unit. So these are
 * the coroutine's here, and not the thread's as they are with the native
 * switch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "arch/arch.h"
#include "switch/ucontext.h"

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

/* glibc's calls fail for no reason of their own: the kernel refuses a bad
 * address, of which there is none. */
static void swap(struct moat_point *here, const ucontext_t *there)
{
    here->front.top = MOAT_ARCH_STACK_POINTER();
    if (swapcontext(&here->context, there) != 0)
        abort();
}

void moat_point_swap(struct moat_point *here, struct moat_point *there)
{
    swap(here, &there->context);
}

/* The context lies on the new stack, where the frames that are begun there
 * overwrite it. */
void moat_point_start(struct moat_point *here, uintptr_t base,
                      void (*first)(moat_co *co), moat_co *co)
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
    swap(here, context);
}

void moat_point_go(struct moat_point *there)
{
    (void)setcontext(&there->context);
    abort();
}
