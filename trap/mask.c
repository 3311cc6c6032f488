/*
 * mask.c: the signals of a fault, blocked and unblocked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/mask.h"

#include "sys/refusal.h"
#include "trap/altstack.h"

const int moat_fault_signals[MOAT_FAULT_SIGNALS] = {SIGSEGV, SIGBUS,  SIGILL,
                                                    SIGFPE,  SIGTRAP, SIGABRT};

void moat_mask_unblock(sigset_t *were_blocked)
{
    sigset_t all, mask;

    (void)sigemptyset(&all);
    for (size_t i = 0; i < MOAT_FAULT_SIGNALS; i++)
        (void)sigaddset(&all, moat_fault_signals[i]);
    (void)pthread_sigmask(SIG_UNBLOCK, &all, &mask);
    (void)sigemptyset(were_blocked);
    for (size_t i = 0; i < MOAT_FAULT_SIGNALS; i++) {
        if (sigismember(&mask, moat_fault_signals[i]) == 1)
            (void)sigaddset(were_blocked, moat_fault_signals[i]);
    }
}

void moat_mask_block(const sigset_t *signals)
{
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
}

moat_status moat_mask_check(void)
{
    sigset_t mask;

    if (!moat_altstack_attached())
        return MOAT_OK;
    if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return moat_refuse_errno("pthread_sigmask");
    for (size_t i = 0; i < MOAT_FAULT_SIGNALS; i++) {
        if (sigismember(&mask, moat_fault_signals[i]) == 1)
            return MOAT_E_HANDLER_LOST;
    }
    return MOAT_OK;
}
