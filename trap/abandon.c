/*
 * abandon.c: releases what a guest holds when it is stopped inside the library.
 *
 * A host's handler that runs on the guest's stack may have interrupted the
 * library anywhere, and its fault is the guest's trap. Only readers and the
 * thread itself are affected: while a lock is held no fault is the guest's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/abandon.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "registry/grace.h"
#include "sys/seal.h"
#include "trap/probe.h"

void moat_trap_abandon(void *ucontext)
{
    ucontext_t *uc = ucontext;
    uint64_t mask;

    moat_grace_abandon();
    /* It lies on the stack that is being left. */
    moat_probe = NULL;
    /* The kernel's set is shorter than the C library's. */
    if (moat_seal_break(&mask))
        memcpy(&uc->uc_sigmask, &mask, sizeof mask);
}
