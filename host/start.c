/*
 * start.c: starts the engine, or says why it does not start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "start.h"

#include <stdio.h>
#include <stdlib.h>

#include <moat/engine.h>

/* The command gives no options: what is wrong or missing was asked for by the
 * environment. */
static bool blame_environment(const char *command, moat_status status)
{
    const char *guard = secure_getenv("MOAT_GUARD");

    if (guard == NULL)
        return false;
    if (status == MOAT_E_INVAL)
        fprintf(stderr,
                "moat: %s: MOAT_GUARD: '%s' is none of madvise, mprotect, "
                "auto\n",
                command, guard);
    else if (status == MOAT_E_UNSUPPORTED)
        fprintf(stderr, "moat: %s: MOAT_GUARD: this kernel has no '%s'\n",
                command, guard);
    else
        return false;
    return true;
}

bool engine_start(const char *command)
{
    moat_status status = moat_engine_init(NULL);

    if (status != MOAT_OK && !blame_environment(command, status))
        fprintf(stderr, "moat: %s: the engine: %s\n", command,
                moat_status_str(status));
    return status == MOAT_OK;
}
