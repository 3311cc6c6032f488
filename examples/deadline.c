/*
 * deadline.c: an endless loop is stopped after 50 ms, and its stack reused.
 *
 * Shows: a limit in wall-clock time; moat_co_defer, which frees what the
 * discarded frames own; the report as JSON; moat_co_reset.
 * Run: build/debug/examples/deadline
 * Prints: that the buffer was freed and the guest stopped, a JSON report, and a
 * second run that returns in time (expected/deadline.txt).
 * Try: limits.resume_cpu_ns instead of wall_ns, and let the guest sleep.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <moat/moat.h>

static volatile int patient;

static void give_back(void *buffer)
{
    free(buffer);
    printf("the buffer is given back\n");
}

static void *wait_for_ever(moat_co *self, void *input)
{
    void *buffer;

    /* A guest stopped inside malloc would leave its lock held. */
    moat_notrap_enter();
    buffer = malloc(4096);
    if (moat_co_defer(self, give_back, buffer) != MOAT_OK) {
        free(buffer);
        patient = 0;
    }
    moat_notrap_leave();
    while (patient)
        continue;
    return input;
}

static void run(moat_co *co)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        return;
    if (moat_co_trap_info(co, &trap) != MOAT_OK) {
        printf("the guest returned\n");
        return;
    }
    printf("the guest was stopped: %s\n", moat_trap_kind_str(trap.kind));
    fflush(stdout);
    if (moat_co_write_json(co, STDOUT_FILENO) != MOAT_OK)
        printf("there is no report\n");
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    limits.wall_ns = (uint64_t)50 * 1000 * 1000;
    options.limits = &limits;
    options.name = "waiter";
    if (moat_co_create(&co, wait_for_ever, &options) != MOAT_OK)
        return 1;
    patient = 1;
    run(co);
    if (moat_co_reset(co) != MOAT_OK)
        return 1;
    patient = 0;
    run(co);
    moat_co_destroy(co);
    return 0;
}
