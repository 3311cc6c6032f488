/*
 * consumer.c: a user's program. A guest yields once, then writes through a null
 * pointer; the host prints both events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static int *volatile nowhere;

static void *guest(moat_co *self, void *input)
{
    moat_co_yield(self, input);
    *nowhere = 1;
    return NULL;
}

int main(void)
{
    moat_co *co = NULL;
    moat_event event;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    int token = 0;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    if (moat_co_resume(co, &token, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_YIELD || event.value != &token)
        return 2;
    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP)
        return 3;
    if (moat_co_trap_info(co, &info) != MOAT_OK)
        return 4;
    printf("moat %s: %s\n", moat_version(), moat_trap_kind_str(info.kind));
    moat_co_destroy(co);
    return 0;
}
