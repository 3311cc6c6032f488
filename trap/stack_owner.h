/*
 * stack_owner.h: on whose stack the thread is.
 *
 * The thread's word names the coroutine that was entered last. That is the one
 * that runs, unless the stack pointer was moved: a host that switches
 * fibers of its own inside a host call, a guest that does, a longjmp out of a
 * guest. The thread's actions then belong to the owner of the stack that it is
 * on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_STACK_OWNER_H
#define MOAT_TRAP_STACK_OWNER_H

#include "trap/coroutine.h"

/* The thread's own stack, when it attaches; zeros: unknown. */
void moat_host_stack_note(uintptr_t limit, uintptr_t base);

/* The host runs with this stack pointer. If that is not on the thread's own
 * stack, the host has fibers. */
void moat_host_stack_visit(uintptr_t sp);

/*
 * Returns the guest on whose stack the thread is; NULL: on the host's, or on
 * that of a coroutine that `running` does not run for. `running` is the
 * thread's current coroutine, not NULL.
 *
 * A stack pointer that leads to no stack in use is smashed: it belongs to
 * `running`. So does a stack that is not registered, unless the host is known
 * to have fibers. Signal-safe: yes.
 */
struct co *moat_stack_owner(struct co *running, uintptr_t sp);

/* Returns whether the stack pointer is on the stack of `co`, its guard
 * included.
 */
bool moat_stack_is_on(const struct co *co, uintptr_t sp);

/* Returns whether `running` was left by a longjmp: the thread is on the stack
 * of one that resumed it, or of the host that did. Signal-safe: yes. */
bool moat_stack_is_left(const struct co *running, uintptr_t sp);

/* Returns whether the guests were resumed in a handler on the alternate stack,
 * whose frames a signal has overwritten. Signal-safe: yes. */
bool moat_stack_host_is_lost(const struct co *running);

/* A handler may leave a guest's switch by siglongjmp, within that guest, after
 * the guest was noted as suspended: then `running` is noted as running again,
 * once its stack pointer shows that. NULL is allowed. Signal-safe: yes. */
void moat_stack_settle(struct co *running, uintptr_t sp);

/* Finds the bounds of the stack that `sp` lies on. False: it is not
 * known. Signal-safe: yes. */
bool moat_stack_find(const struct co *running, uintptr_t sp, uintptr_t *limit,
                     uintptr_t *base);

/* Returns whether two addresses are known to lie on one stack. Signal-safe:
 * yes.
 */
bool moat_stack_is_same(uintptr_t one, uintptr_t other);

/* Returns whether `bytes` are left below `sp`. On a stack that is not known:
 * whether there is memory. Signal-safe: yes. */
bool moat_stack_has(const struct co *running, uintptr_t sp, size_t bytes);

#endif
