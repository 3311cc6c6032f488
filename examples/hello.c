/*
 * hello.c: a guest greets its host, yields, and then writes through NULL.
 *
 * Shows: create, resume and yield, and a fault that reaches the host as an
 * event instead of ending the process.
 * Run: build/debug/examples/hello
 * Prints: the greeting, the value that the guest yielded, the kind of its
 * fault, and a last line from the host that survived it (expected/hello.txt).
 * Try: delete the write to nowhere. The guest returns instead.
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
