/*
 * interrupted.h: whether the calling code is a guest's or that of a handler of
 * the host's that has interrupted it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_INTERRUPTED_H
#define MOAT_ENGINE_INTERRUPTED_H

#include <stdbool.h>

#include "trap/coroutine.h"

/* Returns whether a handler calls, on the alternate stack or above `sp` on the
 * stack of `running`. With less than MOAT_STACK_FOR_WALK of that stack left one
 * that blocks no signals is not found. Signal-safe: yes. */
bool moat_is_interrupted(const struct co *running, uintptr_t sp);

#endif
