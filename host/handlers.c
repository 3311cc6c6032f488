/*
 * handlers.c: the command's own handlers, which ask moat: what a host with the
 * manual source (MOAT_TRAP_SOURCE=manual) must have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "handlers.h"

#include <signal.h>
#include <string.h>

#include <moat/engine.h>

/* A fault of the command is made again, and then ends it, when its instruction
 * runs again; a signal that was sent comes from kill, which does not. */
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

bool handlers_install(void)
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
