/*
 * start.c: starts the engine, or explains why it does not start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "start.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "usage.h"

/* A free stack keeps so much of its memory: enough for most scripts. */
#define KEEP_STACK_BYTES ((size_t)64 * 1024)

/* Reports a wrong or unsupported value of a variable, if it is set. */
static bool blame(const char *command, const char *variable,
                  const char *choices, const char *lacking, moat_status status)
{
    const char *value = secure_getenv(variable);

    if (value == NULL || value[0] == '\0')
        return false;
    if (status == MOAT_E_INVAL)
        complain(command, "%s: '%s' is none of %s", variable, value, choices);
    else
        complain(command, "%s: %s '%s'", variable, lacking, value);
    return true;
}

static bool is_among(const char *value, const char *const *choices)
{
    while (*choices != NULL && strcmp(value, *choices) != 0)
        choices++;
    return *choices != NULL;
}

/* The command's options are right, so the environment has caused the error. The
 * checks are in the engine's order: source, pages, guards. */
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

/* A fault of the command itself recurs when its instruction runs again, and
 * ends the command. A signal sent by kill does not recur, so it is raised
 * again. */
static void die_of(int signo, const siginfo_t *info)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    (void)sigaction(signo, &action, NULL);
    if (info->si_code <= 0)
        (void)raise(signo);
}

static void handle(int signo, siginfo_t *info, void *ucontext)
{
    if (!moat_trap_handle(signo, info, ucontext))
        die_of(signo, info);
}

static bool install_handlers(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                                  SIGFPE,  SIGTRAP, SIGABRT};
    struct sigaction action;
    bool all = true;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        all &= sigaction(signals[i], &action, NULL) == 0;
    return all;
}

/* With the manual source (MOAT_TRAP_SOURCE=manual) the host, which is this
 * command, has to install the handlers. */
static bool receive_signals(const char *command)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    if (moat_engine_get_info(&info) != MOAT_OK ||
        strcmp(info.source, MOAT_SOURCE_MANUAL->name) != 0 ||
        install_handlers())
        return true;
    return complain(command, "installing signal handlers: %s", strerror(errno));
}

bool engine_start(const char *command)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_status status;

    options.keep_stack_bytes = KEEP_STACK_BYTES;
    status = moat_engine_init(&options);

    if (status == MOAT_OK)
        return receive_signals(command);
    if (!blame_environment(command, status))
        complain(command, "the engine: %s", explain_status(status));
    return false;
}
