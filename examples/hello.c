/*
 * hello.c: a guest that greets, yields, and then writes where it must not.
 *
 * Shows: create, resume, yield, and a fault that is an event, not the end.
 * Try this: delete the line with the bad pointer: the guest returns instead.
 * Expected output: expected/hello.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static int *volatile nowhere; /* NULL, and the compiler cannot know it. */

static void *guest(moat_co *self, void *input)
{
    static char thanks[] = "thanks";

    printf("guest: hello, %s\n", (const char *)input);
    input = moat_co_yield(self, thanks);
    *nowhere = 42;
    return input;
}

int main(void)
{
    char name[] = "host";
    moat_co *co;
    moat_event event;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    while (moat_co_resume(co, name, &event) == MOAT_OK) {
        moat_trap_info trap = MOAT_TRAP_INFO_INIT;

        if (moat_co_trap_info(co, &trap) == MOAT_OK)
            printf("host:  trapped by a %s\n", moat_trap_kind_str(trap.kind));
        else
            printf("host:  got %s\n", (const char *)event.value);
    }
    printf("host:  still here\n");
    moat_co_destroy(co);
    return 0;
}
