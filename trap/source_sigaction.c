/*
 * source_sigaction.c: the default source: moat's own handlers for the signals
 * of a fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/source.h>

#include "trap/chain.h"
#include "trap/handler.h"
#include "trap/mask.h"

/* Removes the first `count`. Returns the first error. */
static moat_status remove_first(size_t count)
{
    moat_status result = MOAT_OK;

    while (count-- > 0) {
        moat_status status = moat_chain_remove(moat_fault_signals[count]);

        if (result == MOAT_OK)
            result = status;
    }
    return result;
}

static moat_status install(void)
{
    for (size_t i = 0; i < MOAT_FAULT_SIGNALS; i++) {
        moat_status status = moat_chain_install(moat_fault_signals[i],
                                                moat_trap_on_signal, false);

        if (status != MOAT_OK) {
            (void)remove_first(i);
            return status;
        }
    }
    return MOAT_OK;
}

static moat_status check(void)
{
    for (size_t i = 0; i < MOAT_FAULT_SIGNALS; i++) {
        moat_status status = moat_chain_check(moat_fault_signals[i]);

        if (status != MOAT_OK)
            return status;
    }
    return MOAT_OK;
}

static moat_status remove_all(void)
{
    return remove_first(MOAT_FAULT_SIGNALS);
}

const moat_source moat_source_sigaction = {
    .version = MOAT_SOURCE_VERSION,
    .name = "sigaction",
    .install = install,
    .check = check,
    .remove = remove_all,
};
