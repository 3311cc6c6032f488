/*
 * port.h: what the files of this port share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_GENERIC_PORT_H
#define MOAT_ARCH_GENERIC_PORT_H

#include <ucontext.h>

#include "arch/arch.h"

/* Prepares a context in the memory below `end`, and returns it: first(arg), on
 * the stack below the context. Signal-safe: yes. */
ucontext_t *moat_generic_context(uintptr_t end, void (*first)(void *),
                                 void *arg);

/* Where a call continues that a landing ends (moat_arch_try). */
struct moat_generic_try {
    ucontext_t context;
    volatile uint64_t kind;
};

/* Offsets in a ucontext_t of the words that hold the interrupted registers.
 * 0: unknown. Written before the first handler is installed. */
extern size_t moat_generic_pc_at, moat_generic_sp_at;

#endif
