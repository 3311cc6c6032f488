/*
 * moat_co_print_report.c: The host writes a report on a guest that trapped,
 * while the function that resumed it is still running.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include <moat/moat.h>

static void *guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(7);
}

int main(void)
{
    moat_event event;
    moat_status status = MOAT_OK;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    if (event.kind == MOAT_EVENT_TRAP)
        status = moat_co_print_report(event.co, STDERR_FILENO);
    if (status != MOAT_OK)
        fprintf(stderr, "report: %s\n", moat_status_str(status));
    moat_co_destroy(co);
    return status != MOAT_OK;
}
