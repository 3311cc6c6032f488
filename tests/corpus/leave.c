/*
 * leave.c: exit, _Exit, _exit and quick_exit: on a guest's stack a trap raised
 * on purpose.
 *
 * SPDX-License-Identifier: MIT
 */
#include "leave.h"

#include <dlfcn.h>
#include <stddef.h>
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
