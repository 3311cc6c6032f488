/*
 * portable.h: the switch by calls of the C library. Part of the contract
 * (switch.h); native.h describes each function.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_BY_POINTS_H
#define MOAT_SWITCH_BY_POINTS_H

#include "switch/backend.h"

/* The context leads to moat_arch_landing, by a return from the handler. */
#define MOAT_SWITCH_LANDS_AT_ONCE false

void moat_switch_take_over(moat_co *other, const moat_co *self);

void moat_switch_set_border(moat_co *co, struct moat_arch_border *border);

/* A coroutine becomes RUNNING on its own stack. */
static inline bool moat_switch_is_entering(const moat_co *co,
                                           const moat_regs *regs)
{
    (void)co;
    (void)regs;
    return false;
}

static inline bool moat_switch_is_switching(const moat_co *co,
                                            const moat_regs *regs)
{
    (void)regs;
    return co->switching != 0;
}

uintptr_t moat_switch_sp(const moat_co *co);

/* A border leads to the resumer without a point. */
static inline uintptr_t moat_switch_resumer_sp(const moat_co *co)
{
    return moat_arch_resumer_top(co);
}

#endif
