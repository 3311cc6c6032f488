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
#include "switch/context.h"
#include "switch/ucontext.h"

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

void moat_point_start(struct moat_point *here, uintptr_t base,
                      void (*first)(moat_co *co), moat_co *co)
{
    swap(here, moat_context_begin(base, first, co));
}

void moat_point_go(struct moat_point *there)
{
    (void)setcontext(&there->context);
    abort();
}
