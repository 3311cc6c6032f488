/*
 * moat_engine_init.c: A host that chooses the options of the engine before it
 * creates coroutines, and shuts it down.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

int main(void)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_status status;

    options.keep_free_bytes = 64 << 20;
    status = moat_engine_init(&options);
    if (status == MOAT_OK)
        status = moat_engine_get_info(&info);
    if (status != MOAT_OK) {
        fprintf(stderr, "moat: %s\n", moat_status_str(status));
        return 1;
    }
    printf("source %s, %zu coroutines\n", info.source, info.live);

    /* Here the host works. */

    if (moat_engine_check() == MOAT_E_HANDLER_LOST)
        fprintf(stderr, "moat: other code replaced a signal handler\n");
    return moat_engine_shutdown() != MOAT_OK;
}
