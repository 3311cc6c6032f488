/*
 * intrude.c: exit, _Exit, _exit and quick_exit raise a trap if they are called
 * on a guest's stack; sigaction ignores a guest's handlers of fault signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "intrude.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "replaced.h"

static _Noreturn void leave(const char *function, int status)
{
    void (*next)(int);

    if (moat_co_current() != NULL)
        moat_trap_raise(LEAVE_CODE);
    *(void **)&next = dlsym(RTLD_NEXT, function);
    if (next != NULL)
        next(status);
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

void replaced_exit(int status)
{
    leave("exit", status);
}

void _exit(int status)
{
    leave("_exit", status);
}

void _Exit(int status)
{
    leave("_exit", status);
}

void replaced_quick_exit(int status)
{
    leave("quick_exit", status);
}

/* ---- Handlers -------------------------------------------------------------
 */

/* Looked up at the first call, which the runner makes. */
static int next_sigaction(int signo, const struct sigaction *action,
                          struct sigaction *before)
{
    static int (*next)(int, const struct sigaction *, struct sigaction *);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "sigaction");
    return next(signo, action, before);
}

/* False in moat's own handler, which interrupts the guest on another stack. */
static bool is_on_guests_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    moat_stack_info stack;

    return moat_stack_bounds(&stack) == MOAT_OK && here >= stack.guard &&
           here < stack.base;
}

static bool is_refused(int signo)
{
    return (signo == SIGSEGV || signo == SIGBUS || signo == SIGILL ||
            signo == SIGFPE || signo == SIGTRAP || signo == SIGABRT) &&
           is_on_guests_stack();
}

/* Reports success to a guest that tries to install such a handler. */
int sigaction(int signo, const struct sigaction *action,
              struct sigaction *before)
{
    return next_sigaction(signo, is_refused(signo) ? NULL : action, before);
}

void (*signal(int signo, void (*handler)(int)))(int)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction before;

    (void)sigemptyset(&action.sa_mask);
    return sigaction(signo, &action, &before) == 0 ? before.sa_handler
                                                   : SIG_ERR;
}
