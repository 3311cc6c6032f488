/*
 * host_handler.h: handlers of the host's that run on a guest's stack, or on the
 * host's own.
 *
 * One installed with SA_NODEFER, or that changes its mask, is not found by it.
 * Memory can be taken for such a handler if an undamaged dead frame lies in the
 * part of the stack in use, and the mask has changed since as if by a handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_HOST_HANDLER_H
#define MOAT_TRAP_HOST_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "trap/coroutine.h"

/* Returns whether the context interrupted such a handler, for which a passed
 * time limit should wait: it may hold what the host needs. After a second the
 * result is false. Signal-safe: yes. */
bool moat_host_handler_wait(const struct co *co, const void *ucontext,
                            uint64_t now);

/* Returns whether the context interrupted such a handler, which was called
 * below `end` on the same stack. Signal-safe: yes. */
bool moat_host_handler_runs(const void *ucontext, uintptr_t end);

/* Returns whether code at `sp` is such a handler's, or one's on the alternate
 * stack. Signal-safe: yes. */
bool moat_host_handler_is_at(const struct co *running, uintptr_t sp);

/* Returns whether a frame of such a handler, which may have ended, lies at `sp`
 * or above on that stack. Signal-safe: yes. */
bool moat_host_handler_may_be_at(const struct co *running, uintptr_t sp);

/* The frames up to `end` are left for good: makes the context restore the mask
 * from before such a handler. Signal-safe: yes. */
void moat_host_handler_leave(const struct co *co, void *ucontext,
                             uintptr_t end);

#endif
