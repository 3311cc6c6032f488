/*
 * moat_limits.c: A guest that loops for ever is stopped after 10 ms of CPU
 * time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>

#include <moat/moat.h>

static volatile bool stop;

static void *guest(moat_co *self, void *input)
{
    (void)self;
    while (!stop)
        continue;
    return input;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    limits.resume_cpu_ns = 10 * 1000 * 1000;
    options.limits = &limits;
    if (moat_co_create(&co, guest, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK ||
        moat_co_trap_info(event.co, &trap) != MOAT_OK)
        return 1;
    printf("%s\n", moat_trap_kind_str(trap.kind));
    moat_co_destroy(co);
    return trap.kind != MOAT_TRAP_DEADLINE;
}
