/*
 * manual.c: a host of the manual source, for the tests that are run over it:
 * with MOAT_TRAP_SOURCE=manual it has handlers for the signals of a fault which
 * ask moat first and then let the default action happen. In the other runs it
 * does nothing.
 *
 * To be compiled into each program that is run over several sources.
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

/* The signal itself, its siginfo too, once more: now it is deadly. */
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

/* The fixture's children reset their dispositions and call it once more. */
__attribute__((constructor)) static void prepare(void)
{
    const char *source = getenv("MOAT_TRAP_SOURCE");

    if (source == NULL || strcmp(source, "manual") != 0)
        return;
    child_prepare = install;
    install();
}
