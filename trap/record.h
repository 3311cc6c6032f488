/*
 * record.h: fills in the record of a trap from its signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_RECORD_H
#define MOAT_TRAP_RECORD_H

#include <signal.h>
#include <stdbool.h>

#include "trap/coroutine.h"

/* Signals that the CPU raised have positive codes; those of kill, tgkill,
 * sigqueue and timers are zero or negative (sigaction(2)). */
static inline bool moat_signal_was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* Fills in the record of `co`. `in_host_call`: the code that was interrupted is
 * the host's, called for the guest. Signal-safe: yes. */
void moat_record_fill(int signo, const siginfo_t *info, const void *ucontext,
                      const struct co *co, bool in_host_call);

#endif
