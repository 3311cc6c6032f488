/*
 * moat_co_yield.c: A generator: each yield passes a square to the host, and
 * returns what the host passes to the next resume.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *squares(moat_co *self, void *input)
{
    int last = *(int *)input;

    for (int i = 1; i <= last; i++) {
        int square = i * i;

        input = moat_co_yield(self, &square);
        last = *(int *)input;
    }
    return NULL;
}

int main(void)
{
    int last = 4;
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, squares, NULL) != MOAT_OK)
        return 1;
    while (moat_co_resume(co, &last, &event) == MOAT_OK &&
           event.kind == MOAT_EVENT_YIELD)
        printf("%d\n", *(int *)event.value);
    moat_co_destroy(co);
    return 0;
}
