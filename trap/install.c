/*
 * install.c: the source in use: chosen, installed, told of ranges.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "trap/internal.h"

/* Written under the engine's lock, read by handlers. */
static _Atomic(const moat_source *) installed;

/* Of the library moat-sigsegv. moat does not link it: a program that does makes
 * the name known to the environment's choice. */
extern const moat_source *moat_sigsegv_source(void) __attribute__((weak));

/* The environment is asked only where the host left the choice open, and never
 * in a set-user-ID program. */
static moat_status environment_choice(const moat_source **out)
{
    const char *asked = secure_getenv("MOAT_TRAP_SOURCE");

    *out = &moat_source_sigaction;
    if (asked == NULL || *asked == '\0' || strcmp(asked, "auto") == 0 ||
        strcmp(asked, "sigaction") == 0)
        return MOAT_OK;
    if (strcmp(asked, "manual") == 0) {
        *out = &moat_source_manual;
        return MOAT_OK;
    }
    if (strcmp(asked, "sigsegv") != 0)
        return MOAT_E_INVAL;
    if (moat_sigsegv_source == NULL)
        return MOAT_E_UNSUPPORTED;
    *out = moat_sigsegv_source();
    return MOAT_OK;
}

moat_status moat_trap_source_choose(const moat_source *asked,
                                    const moat_source **out)
{
    moat_status status = MOAT_OK;

    if (asked == NULL)
        status = environment_choice(&asked);
    if (status != MOAT_OK)
        return status;
    if (asked->version != MOAT_SOURCE_VERSION)
        return MOAT_E_UNSUPPORTED;
    if (asked->reserved != 0 || asked->name == NULL || asked->install == NULL ||
        asked->check == NULL || asked->remove == NULL ||
        (asked->watch == NULL) != (asked->unwatch == NULL))
        return MOAT_E_INVAL;
    *out = asked;
    return MOAT_OK;
}

moat_status moat_trap_install(const moat_source *source)
{
    moat_status status = source->install();

    if (status == MOAT_OK)
        atomic_store(&installed, source);
    return status;
}

moat_status moat_trap_check(void)
{
    const moat_source *source = atomic_load(&installed);

    return source != NULL ? source->check() : MOAT_E_STATE;
}

moat_status moat_trap_remove(void)
{
    const moat_source *source = atomic_exchange(&installed, NULL);

    return source != NULL ? source->remove() : MOAT_OK;
}

bool (*moat_trap_source_fault(void))(void *, void *)
{
    const moat_source *source =
        atomic_load_explicit(&installed, memory_order_acquire);

    return source != NULL ? source->fault : NULL;
}

moat_status moat_trap_watch(const moat_source_range *range)
{
    const moat_source *source = atomic_load(&installed);

    if (source == NULL || source->watch == NULL)
        return MOAT_OK;
    return source->watch(range);
}

void moat_trap_unwatch(const moat_source_range *range)
{
    const moat_source *source = atomic_load(&installed);

    if (source != NULL && source->unwatch != NULL)
        source->unwatch(range);
}

moat_status moat_trap_watch_arena(uintptr_t begin, size_t bytes)
{
    const moat_source_range range = {begin, bytes, NULL};
    moat_status status;

    moat_ranges_lock();
    status = moat_trap_watch(&range);
    moat_ranges_unlock();
    return status;
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

moat_status moat_trap_check_mask(void)
{
    sigset_t mask;

    if (!moat_trap_thread.attached)
        return MOAT_OK;
    if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return MOAT_E_SYSTEM;
    for (size_t i = 0; i < FAULTS; i++) {
        if (sigismember(&mask, faults[i]) == 1)
            return MOAT_E_HANDLER_LOST;
    }
    return MOAT_OK;
}

void moat_trap_block(const sigset_t *signals)
{
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* SIGSYS is what a filter of system calls answers one with. */
void moat_trap_block_async(sigset_t *before)
{
    sigset_t set;

    (void)sigfillset(&set);
    for (size_t i = 0; i < FAULTS; i++)
        (void)sigdelset(&set, faults[i]);
    (void)sigdelset(&set, SIGSYS);
    (void)pthread_sigmask(SIG_BLOCK, &set, before);
}

const char *moat_trap_source_name(const moat_source *source)
{
    return source->name;
}
