/*
 * switches.c: prints whether a guest runs on its coroutine's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>

#include <moat/moat.h>

__attribute__((noinline)) static bool is_on(const moat_stack_info *stack)
{
    volatile char local = 0;

    return (uintptr_t)&local >= stack->limit && (uintptr_t)&local < stack->base;
}

static void *guest(moat_co *self, void *input)
{
    moat_stack_info stack;

    /* MOAT_E_STACK: it is on another one. */
    if (moat_stack_bounds(&stack) == MOAT_OK)
        *(bool *)input = is_on(&stack);
    return moat_co_yield(self, input);
}

int main(void)
{
    moat_co *co;
    moat_event event;
    bool on = false;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, &on, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_YIELD)
        return 1;
    puts(on ? "on its stack" : "elsewhere");
    if (moat_co_resume(co, &on, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        return 1;
    moat_co_destroy(co);
    return 0;
}
