/*
 * manual.c: a host that uses the manual source. With MOAT_TRAP_SOURCE=manual it
 * installs handlers for the fault signals. They ask moat first and otherwise
 * let the default action happen. With other sources it does nothing.
 *
 * Compiled into each program that runs with several sources.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "fixture.h"

static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                              SIGFPE,  SIGTRAP, SIGABRT};

/* Sends the signal again, with its siginfo; this time it kills the process. */
static void die(int signo, siginfo_t *info)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    (void)sigaction(signo, &action, NULL);
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signo,
                  info);
}

static void ask_moat(int signo, siginfo_t *info, void *ucontext)
{
    if (!moat_trap_handle(signo, info, ucontext))
        die(signo, info);
}

static void install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = ask_moat;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)sigaction(signals[i], &action, NULL);
}

/* Children of the fixture reset their dispositions and call this again. */
__attribute__((constructor)) static void prepare(void)
{
    const char *source = getenv("MOAT_TRAP_SOURCE");

    if (source == NULL || strcmp(source, "manual") != 0)
        return;
    child_prepare = install;
    install();
}
