/*
 * consumer_malloc.c: a user's program whose guests have heaps of their own as
 * malloc. The guest never looks at what malloc returned.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/malloc.h>
#include <moat/moat.h>

static void *bomb(moat_co *self, void *input)
{
    for (;;)
        memset(malloc(1000), 1, 1000);
    (void)self;
    return input;
}

int main(void)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    options.quota_bytes = (size_t)8 << 20;
    if (moat_malloc_configure(&options) != MOAT_OK ||
        moat_co_create(&co, bomb, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK ||
        moat_co_trap_info(co, &info) != MOAT_OK)
        return 1;
    printf("moat-malloc: %s\n", moat_trap_kind_str(info.kind));
    moat_co_destroy(co);
    return 0;
}
