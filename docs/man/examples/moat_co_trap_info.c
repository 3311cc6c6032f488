/*
 * moat_co_trap_info.c: The host asks what stopped a guest that wrote to address
 * 0, and makes it fresh again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>

#include <moat/moat.h>

static int *volatile nowhere;

static void *guest(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 42;
    return input;
}

int main(void)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    if (event.kind == MOAT_EVENT_TRAP &&
        moat_co_trap_info(event.co, &trap) == MOAT_OK)
        printf("%s at address %" PRIxPTR ", pc %" PRIxPTR "\n",
               moat_trap_kind_str(trap.kind), trap.address, trap.pc);
    if (moat_co_reset(co) != MOAT_OK)
        return 1;
    printf("now it is %s\n", moat_co_state_str(moat_co_get_state(co)));
    moat_co_destroy(co);
    return trap.kind != MOAT_TRAP_NULL;
}
