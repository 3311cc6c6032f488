/*
 * consumer_sigsegv.c: a user's program under the GPL: its page faults come
 * through libsigsegv, or through the source that the environment selects. With
 * LEFT_OPEN it never names libsigsegv's source.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>
#include <moat/sigsegv.h>

static int *volatile nowhere;

static void *guest(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

int main(int argc, char **argv)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_event event;
    moat_co *co = NULL;

    (void)argv;
    (void)argc;
#ifndef LEFT_OPEN
    if (argc == 1)
        options.source = moat_sigsegv_source();
#endif
    if (moat_engine_init(&options) != MOAT_OK ||
        moat_engine_get_info(&info) != MOAT_OK)
        return 1;
    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP)
        return 2;
    printf("a trap by way of %s\n", info.source);
    moat_co_destroy(co);
    return moat_engine_shutdown() == MOAT_OK ? 0 : 3;
}
