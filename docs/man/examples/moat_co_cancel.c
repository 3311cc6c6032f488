/*
 * moat_co_cancel.c: Cancelling a suspended guest runs its cleanup code. Compile
 * the guest with -fexceptions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

static void release(char **buffer)
{
    free(*buffer);
    printf("buffer freed\n");
}

static void *guest(moat_co *self, void *input)
{
    __attribute__((cleanup(release))) char *buffer = malloc(100);

    (void)input;
    return moat_co_yield(self, buffer);
}

int main(void)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK ||
        moat_co_cancel(co, &event) != MOAT_OK)
        return 1;
    printf("now it is %s\n", moat_co_state_str(moat_co_get_state(co)));
    moat_co_destroy(co);
    return 0;
}
