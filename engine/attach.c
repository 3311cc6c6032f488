/*
 * attach.c: threads attached on request and on demand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/attach.h"

#include "engine/engine.h"
#include "engine/thread.h"
#include "sys/filter.h"
#include "trap/alarm.h"
#include "trap/altstack.h"
#include "trap/mask.h"

/* Signals that were blocked after the attach are not blocked again at the
 * detach: the caller asked for the repair. */
static moat_status repair(void)
{
    moat_status status = moat_altstack_repair();
    sigset_t were_blocked;

    if (status != MOAT_OK)
        return status;
    moat_mask_unblock(&were_blocked);
    moat_alarm_unblock();
    moat_filter_repair();
    return MOAT_OK;
}

moat_status moat_thread_attach(void)
{
    unsigned char filter = moat_filter_pause();
    moat_status status =
        moat_thread_self() != NULL ? repair() : moat_thread_ready();

    moat_filter_restore(filter);
    return status;
}

moat_status moat_thread_ready(void)
{
    moat_status status;

    if (moat_thread_self() != NULL)
        return MOAT_OK;
    status = moat_engine_ready();
    return status == MOAT_OK ? moat_thread_join() : status;
}
