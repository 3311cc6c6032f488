/*
 * moat_co_backtrace.c: The frames of a suspended guest, innermost first, with
 * their names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *guest(moat_co *self, void *input)
{
    (void)input;
    return moat_co_yield(self, NULL);
}

static moat_status print_frames(const moat_co *co)
{
    moat_frame frames[64];
    char line[400];
    size_t count;
    moat_status status = moat_co_backtrace(co, frames, 64, &count);

    if (status != MOAT_OK && status != MOAT_E_FULL)
        return status;
    for (size_t i = 0; i < count; i++)
        if (moat_frame_describe(&frames[i], line, sizeof line) == MOAT_OK)
            printf("#%zu  %s\n", i, line);
    return MOAT_OK;
}

int main(void)
{
    moat_event event;
    moat_status status;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    status = print_frames(co);
    moat_co_destroy(co);
    return status != MOAT_OK && status != MOAT_E_UNSUPPORTED;
}
