/*
 * install.c: the source in use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/internal.h"

static const moat_source *installed; /* written under the engine's lock */

moat_status moat_trap_install(const moat_source *source)
{
    moat_status status = source->install();

    if (status == MOAT_OK)
        installed = source;
    return status;
}

moat_status moat_trap_check(void)
{
    return installed != NULL ? installed->check() : MOAT_E_STATE;
}

moat_status moat_trap_remove(void)
{
    const moat_source *source = installed;

    installed = NULL;
    return source != NULL ? source->remove() : MOAT_OK;
}

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
#define FAULTS (sizeof faults / sizeof faults[0])

void moat_trap_unblock(sigset_t *were_blocked)
{
    sigset_t all, mask;

    (void)sigemptyset(&all);
    for (size_t i = 0; i < FAULTS; i++)
        (void)sigaddset(&all, faults[i]);
    (void)pthread_sigmask(SIG_UNBLOCK, &all, &mask);
    (void)sigemptyset(were_blocked);
    for (size_t i = 0; i < FAULTS; i++) {
        if (sigismember(&mask, faults[i]) == 1)
            (void)sigaddset(were_blocked, faults[i]);
    }
}

void moat_trap_block(const sigset_t *signals)
{
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
}

const char *moat_trap_source_name(const moat_source *source)
{
    return source->name;
}
