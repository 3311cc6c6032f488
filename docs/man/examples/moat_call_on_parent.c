/*
 * moat_call_on_parent.c: A guest allocates on its resumer's stack, so that a
 * deadline or an overflow cannot stop it while it holds the heap's lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/moat.h>

static void *call_malloc(void *size)
{
    return malloc(*(size_t *)size);
}

static void *guest_malloc(moat_co *self, size_t size)
{
    return moat_call_on_parent(self, call_malloc, &size);
}

static void *guest(moat_co *self, void *input)
{
    (void)input;
    return guest_malloc(self, 100);
}

int main(void)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return 1;
    printf("the guest %s memory\n", event.value != NULL ? "has" : "has no");
    free(event.value);
    moat_co_destroy(co);
    return 0;
}
