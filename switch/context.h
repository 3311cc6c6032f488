/*
 * context.h: the context in which a coroutine begins: of the backends that are
 * made of makecontext.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_CONTEXT_H
#define MOAT_SWITCH_CONTEXT_H

#include <stdint.h>
#include <ucontext.h>

#include <moat/co.h>

/* Returns a context that calls first(co), which never returns, on the stack
 * that ends at `base`, with the caller's signal mask and control words. It lies
 * on that stack, where the frames that are begun there overwrite it. */
ucontext_t *moat_context_begin(uintptr_t base, void (*first)(moat_co *co),
                               moat_co *co);

#endif
