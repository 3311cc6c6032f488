/*
 * moat_co_create.c: A coroutine with a stack of 64 KiB, a name and a pointer of
 * the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *greet(moat_co *self, void *input)
{
    printf("%s: hello, %s\n", moat_co_name(self), (const char *)input);
    return moat_co_user(self);
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    char world[] = "world";
    int answer = 42;
    moat_event event;
    moat_status status;
    moat_co *co;

    options.stack_bytes = 64 * 1024;
    options.name = "greeter";
    options.user = &answer;
    status = moat_co_create(&co, greet, &options);
    if (status != MOAT_OK) {
        fprintf(stderr, "create: %s\n", moat_status_str(status));
        return 1;
    }
    if (moat_co_resume(co, world, &event) == MOAT_OK &&
        event.kind == MOAT_EVENT_RETURN)
        printf("returned %d\n", *(int *)event.value);
    moat_co_destroy(co);
    return 0;
}
