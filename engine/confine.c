/*
 * confine.c: a bound for the system calls of a thread that runs guests.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "arch/syscalls.h"
#include "engine/attach.h"
#include "engine/engine.h"
#include "engine/syscalls.h"
#include "sys/confine.h"
#include "sys/refusal.h"
#include "trap/coroutine.h"

static moat_status check(void)
{
    if (moat_running() != NULL)
        return MOAT_E_STATE;
    if (moat_syscalls_are_hidden())
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "a thread cannot be confined under Valgrind and "
                           "ThreadSanitizer, which need calls of their own");
    if (MOAT_SWITCH_CREWS)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "with MOAT_SWITCH=threads guests run on threads of "
                           "their own, which a bound would not reach");
    if (moat_arch_audit() == 0)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "threads cannot be confined on this CPU");
    return MOAT_OK;
}

/* What the thread needs once is asked for before. */
moat_status moat_thread_confine(const long *calls, size_t count)
{
    moat_status status = check();

    if (status == MOAT_OK)
        status = moat_thread_ready();
    if (status == MOAT_OK)
        status = moat_engine_need_calls();
    return status == MOAT_OK ? moat_confine(moat_arch_audit(), calls, count)
                             : status;
}
