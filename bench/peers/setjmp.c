/*
 * setjmp.c: two pairs of _setjmp and _longjmp, between two loops that do
 * nothing else: what a round trip by these calls takes at the least. The
 * functions that call _setjmp cannot be inlined, so there is no more to a
 * coroutine here than this.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "bench/peers.h"
#include "bench/peers/stacks.h"

static jmp_buf host, guest;

static void jump_back(void)
{
    for (;;)
        if (_setjmp(guest) == 0)
            _longjmp(host, 1);
}

/* Up to the first jump back. */
static void begin(char *stack)
{
    static ucontext_t context;

    if (getcontext(&context) != 0)
        abort();
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = TASK_STACK_BYTES;
    makecontext(&context, jump_back, 0);
    if (_setjmp(host) == 0)
        (void)setcontext(&context);
}

/* Not a variable of the function: _longjmp may restore that. */
static size_t left;

static void jump(void)
{
    for (; left > 0; left--)
        if (_setjmp(host) == 0)
            _longjmp(guest, 1);
}

static uint64_t run_flat(size_t count)
{
    char *stack = task_stack_take();

    begin(stack);
    left = count;
    jump();
    task_stack_release(stack);
    return count;
}

const struct bench_peer peer_setjmp = {.name = "two pairs of _setjmp, _longjmp",
                                       .share = 1,
                                       .bodies = {[CASE_FLAT] = run_flat}};
