/*
 * start.c: starts the engine, or says why it does not start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "handlers.h"

/* A variable of the environment, and what its value may be. */
static bool blame(const char *command, const char *variable,
                  const char *choices, const char *lacking, moat_status status)
{
    const char *value = secure_getenv(variable);

    if (value == NULL || value[0] == '\0')
        return false;
    if (status == MOAT_E_INVAL)
        fprintf(stderr, "moat: %s: %s: '%s' is none of %s\n", command, variable,
                value, choices);
    else
        fprintf(stderr, "moat: %s: %s: %s '%s'\n", command, variable, lacking,
                value);
    return true;
}

static bool is_among(const char *value, const char *const *choices)
{
    while (*choices != NULL && strcmp(value, *choices) != 0)
        choices++;
    return *choices != NULL;
}

/* The command gives no options: what is wrong or missing was asked for by the
 * environment. The engine looks at the source first, then at the pages. */
static bool blame_environment(const char *command, moat_status status)
{
    static const char *const sources[] = {"",       "sigaction", "sigsegv",
                                          "manual", "auto",      NULL};
    static const char *const ways[] = {"", "old", "auto", NULL};
    const char *source = secure_getenv("MOAT_TRAP_SOURCE");
    const char *pages = secure_getenv("MOAT_PAGES");

    if (status != MOAT_E_INVAL && status != MOAT_E_UNSUPPORTED)
        return false;
    if (source != NULL &&
        (status == MOAT_E_INVAL ? !is_among(source, sources)
                                : strcmp(source, "sigsegv") == 0))
        return blame(command, "MOAT_TRAP_SOURCE",
                     "sigaction, sigsegv, manual, auto",
                     "this command is not linked with the library of", status);
    if (pages != NULL && status == MOAT_E_INVAL && !is_among(pages, ways))
        return blame(command, "MOAT_PAGES", "old, auto", "", status);
    return blame(command, "MOAT_GUARD", "madvise, mprotect, auto",
                 "this kernel has no", status);
}

/* Where the engine leaves the signals to its host, the command is that host. */
static bool receive_signals(const char *command)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    if (moat_engine_get_info(&info) != MOAT_OK ||
        strcmp(info.source, MOAT_SOURCE_MANUAL->name) != 0 ||
        handlers_install())
        return true;
    fprintf(stderr, "moat: %s: installing signal handlers: %s\n", command,
            strerror(errno));
    return false;
}

bool engine_start(const char *command)
{
    moat_status status = moat_engine_init(NULL);

    if (status == MOAT_OK)
        return receive_signals(command);
    if (!blame_environment(command, status))
        fprintf(stderr, "moat: %s: the engine: %s\n", command,
                moat_status_str(status));
    return false;
}
