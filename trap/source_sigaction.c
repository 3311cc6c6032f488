/*
 * source_sigaction.c: moat's own handlers for the signals a CPU raises, and
 * abort.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/internal.h"

static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                              SIGFPE,  SIGTRAP, SIGABRT};
#define SIGNALS (sizeof signals / sizeof signals[0])

/* Removes the first `count`; the first trouble is what is reported. */
static moat_status remove_first(size_t count)
{
    moat_status result = MOAT_OK;

    while (count-- > 0) {
        moat_status status = moat_chain_remove(signals[count]);

        if (result == MOAT_OK)
            result = status;
    }
    return result;
}

static moat_status install(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        moat_status status =
            moat_chain_install(signals[i], moat_trap_on_signal, false);

        if (status != MOAT_OK) {
            (void)remove_first(i);
            return status;
        }
    }
    return MOAT_OK;
}

static moat_status check(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        moat_status status = moat_chain_check(signals[i]);

        if (status != MOAT_OK)
            return status;
    }
    return MOAT_OK;
}

static moat_status remove_all(void)
{
    return remove_first(SIGNALS);
}

const moat_source moat_source_sigaction = {
    .version = MOAT_SOURCE_VERSION,
    .name = "sigaction",
    .install = install,
    .check = check,
    .remove = remove_all,
};
