/*
 * calls.c: a call that a redirected fault ends, and one on another stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "arch/generic/port.h"

/* --- contexts ------------------------------------------------------------- */

/* makecontext takes the top of a stack as a size; nothing looks at the rest. */
#define FIRST_BYTES 1024

#define ALIGNMENT ((uintptr_t)63)

/* makecontext passes ints, so a pointer comes in halves. */
#define HIGH(pointer) ((unsigned)((uint64_t)(uintptr_t)(pointer) >> 32))
#define LOW(pointer)  ((unsigned)(uintptr_t)(pointer))
#define WHOLE(high, low) \
    ((void *)(uintptr_t)(((uint64_t)(high) << 32) | (uint64_t)(low)))

static void start(unsigned first_high, unsigned first_low, unsigned arg_high,
                  unsigned arg_low)
{
    void (*first)(void *) =
        (void (*)(void *))(uintptr_t)WHOLE(first_high, first_low);

    first(WHOLE(arg_high, arg_low));
}

ucontext_t *moat_generic_context(uintptr_t end, void (*first)(void *),
                                 void *arg)
{
    uintptr_t address = (uintptr_t)first;
    ucontext_t *context =
        (ucontext_t *)((end - sizeof(ucontext_t)) & ~ALIGNMENT);

    if (getcontext(context) != 0)
        abort();
    context->uc_stack.ss_sp = (char *)context - FIRST_BYTES;
    context->uc_stack.ss_size = FIRST_BYTES;
    context->uc_link = NULL;
    makecontext(context, (void (*)(void))start, 4, HIGH(address), LOW(address),
                HIGH(arg), LOW(arg));
    return context;
}

/* --- calls that a landing ends -------------------------------------------- */

/* The second return of getcontext is that of the landing. */
uint64_t moat_arch_try(moat_co *landing, void (*fn)(void *), void *arg)
{
    struct moat_generic_try back;

    back.kind = 0;
    landing->point = &back;
    if (getcontext(&back.context) != 0)
        abort();
    if (back.kind == 0) {
        /* While this word is not 0, handlers may redirect to the landing. */
        *(volatile uintptr_t *)&landing->resumer_sp = MOAT_ARCH_STACK_POINTER();
        fn(arg);
    }
    *(volatile uintptr_t *)&landing->resumer_sp = 0;
    return back.kind;
}

/* --- calls on the resumer's stack ----------------------------------------- */

struct call {
    void *(*fn)(void *);
    void *arg, *result;
};

static void run(void *arg)
{
    struct call *call = arg;

    call->result = call->fn(call->arg);
}

/* A word by which the call is known while it lasts. Below it lies the context,
 * and then its frames. */
uintptr_t moat_arch_host_call_slot(const moat_co *co)
{
    uintptr_t top =
        (moat_arch_resumer_top(co) - MOAT_ARCH_RED_ZONE) & ~ALIGNMENT;

    return top - sizeof(uintptr_t);
}

void *moat_arch_call_on_resumer(moat_co *co, void *(*fn)(void *), void *arg)
{
    uintptr_t slot = moat_arch_host_call_slot(co);
    struct call call = {fn, arg, NULL};
    ucontext_t here, *there;

    *(uintptr_t *)slot = (uintptr_t)moat_arch_call_on_return;
    there = moat_generic_context(slot, run, &call);
    there->uc_link = &here;
    co->sp = MOAT_ARCH_STACK_POINTER();
    if (swapcontext(&here, there) != 0)
        abort();
    return call.result;
}
