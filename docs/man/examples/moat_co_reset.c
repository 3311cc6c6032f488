/*
 * moat_co_reset.c: One coroutine has many lives: each begins with the entry
 * function, whatever ended the one before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *divide(moat_co *self, void *input)
{
    volatile int *numbers = input;

    (void)self;
    numbers[0] /= numbers[1];
    return input;
}

int main(void)
{
    int numbers[3][2] = {{6, 3}, {6, 0}, {6, 2}};
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, divide, NULL) != MOAT_OK)
        return 1;
    for (int i = 0; i < 3; i++) {
        if (moat_co_resume(co, numbers[i], &event) != MOAT_OK)
            return 1;
        if (event.kind == MOAT_EVENT_RETURN)
            printf("%d\n", numbers[i][0]);
        else
            printf("no result\n");
        if (moat_co_reset(co) != MOAT_OK)
            return 1;
    }
    moat_co_destroy(co);
    return 0;
}
