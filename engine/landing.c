/*
 * landing.c: releases what a guest held when it was stopped inside the
 * library.
 *
 * Nothing here reads the guest's stack. Each of these is idle unless the fault
 * of a host's handler stopped the guest at an unlucky instruction.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/landing.h"

#include "engine/host_call.h"
#include "engine/thread.h"
#include "sys/seal.h"
#include "unwind/rows.h"

void moat_landed(const struct co *stopped)
{
    if (moat_seal_landed() && moat_thread_self() != NULL)
        moat_thread_recount(moat_thread_self());
    (void)moat_cancellation_defer();
    moat_rows_landed();
    moat_host_call_landed(stopped);
}
