/*
 * guest.h: services for code that runs on a guest's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_GUEST_H
#define MOAT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>
#include <moat/trap.h>

/* A stack, for garbage collectors and interpreters. It grows down. */
typedef struct moat_stack_info {
    uintptr_t base;    /* highest address, exclusive                         */
    uintptr_t limit;   /* lowest usable address                              */
    uintptr_t guard;   /* lowest address of the guard, which ends at limit   */
    size_t used;       /* bytes between the stack pointer and base           */
    size_t high_water; /* bytes between the lowest touched page and base;
                          0 from moat_stack_bounds                           */
} moat_stack_info;

MOAT_BEGIN_DECLS

/**
 * Runs fn(arg) on the stack of whoever resumed the calling guest, and gives
 * back its result: for services of the host that need more stack than a guest
 * has, or that must not be cut (an allocator, stdio, anything with a lock).
 *
 * During the call the guest does not run: moat_co_current names its resumer, a
 * yield has no effect, the resumer's neither, a deadline waits until the call
 * is over, and a fault is the host's: fatal. fn may create and resume other
 * coroutines. No-trap sections that it leaves open are closed.
 *
 * The guest's own stack must have 2 KiB left: else it overflows before fn is
 * called. It traps, or its moat_notrap_call ends; in another no-trap section,
 * or under a policy other than MOAT_CO_RECOVER_ANYWHERE, that is fatal: abort.
 *
 * @param self  the running coroutine
 * @param fn    must return: no longjmp and no exception out of it
 * @return fn's result; NULL, at once and without effect, if fn is NULL or
 * `self` is not the running coroutine
 *
 * Thread-safety: the coroutine's thread. Signal-safety: no.
 * Legal in:      RUNNING
 */
MOAT_API void *moat_call_on_parent(moat_co *self, void *(*fn)(void *),
                                   void *arg);

/**
 * Opens a section in which the calling guest must not be cut: until the
 * matching moat_notrap_leave a deadline waits, and a fault is fatal to the
 * process, as a fault of the host would be. Sections nest, 65,535 deep: one
 * more aborts. No effect on the host's stack. A handler cannot close what it
 * has opened.
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API void moat_notrap_enter(void);

/**
 * Closes the section. If a deadline passed inside, the trap happens now and the
 * call does not return, unless the coroutine's policy spares the caller. A
 * leave without an enter has no effect; nor has one in a function called by
 * moat_notrap_call or moat_call_on_parent that has opened none itself.
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API void moat_notrap_leave(void);

/**
 * Calls fn(arg) in a no-trap section that has a recovery point: a fault in it
 * (an overflow, an abort, a moat_trap_raise too) ends the call and not the
 * guest or the process, whatever the coroutine's policy. Nests.
 *
 * fn's frames are dropped, not unwound: what it had locked stays locked, and
 * nothing tells whether that was a lock of the C library's, as
 * moat_co_is_poisoned does of a trapped coroutine. Code that may fault with one
 * in its hands belongs in a coroutine of its own. In a section that fn itself
 * opens by moat_notrap_enter a fault is fatal, as ever; sections that it leaves
 * open are closed. Exceptions may pass; fn may yield.
 *
 * @param fn        not NULL
 * @param[out] out  what fn did, if MOAT_E_FAULT is returned: as
 *                  moat_co_trap_info, but `regs` are good until the coroutine
 *                  faults again, is reset or destroyed; NULL: not wanted
 *
 * @return MOAT_OK, or
 *         MOAT_E_FAULT  fn has faulted
 *         MOAT_E_INVAL  fn is NULL
 *         MOAT_E_STATE  on the host's stack, whose faults are the host's: run
 *                       such code in a coroutine
 *         MOAT_E_LIMIT  too little stack left
 *
 * If a deadline passed inside, the trap happens at the end, however that came,
 * and the call does not return, unless the policy spares the caller. Nor does
 * it if fn faults while moat_co_cancel unwinds it: the caller is unwound next.
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NODISCARD moat_status moat_notrap_call(void (*fn)(void *),
                                                     void *arg,
                                                     moat_trap_info *out);

/**
 * Checks that `bytes` of stack are left below the caller; call it before code
 * that cannot cope with an overflow.
 *
 * @return MOAT_OK, also on the host's stack, or
 *         MOAT_E_LIMIT  less is left
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_reserve(size_t bytes);

/**
 * Tells the bounds of the stack that the caller runs on.
 *
 * @param[out] out  written only on MOAT_OK
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL
 *         MOAT_E_STATE  on the host's stack: its bounds are the thread
 * library's to tell
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_bounds(moat_stack_info *out);

/**
 * Tells the bounds, the use and the high-water mark of a stopped coroutine's
 * stack. The mark counts pages that were ever touched since the stack was last
 * scrubbed with MOAT_CO_SCRUB_DISCARD, so it is exact only under that policy.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running or resuming
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_SYSTEM  the pages could not be asked for; errno says why
 *
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_stack_info(const moat_co *co,
                                                       moat_stack_info *out);

/**
 * Leaves a function to be run when the coroutine ends in any way: return, trap,
 * reset or destroy. They run last registered first, on the stack of whoever
 * resumed, reset or destroyed it, before that call returns; not on the guest's.
 *
 * @param fn  the coroutine is DONE, or TRAPPED and can be asked for its record;
 *            a resume, reset or destroy of it is refused: MOAT_E_STATE. A fault
 *            in it is that of whoever's stack it runs on. An exception passes
 *            the call that ran it, which is then half done. No longjmp
 *
 * A function runs once. If it ends by an exception, or because the guest that
 * runs it ends, or that guest's moat_notrap_call, those that are left run when
 * the coroutine is reset or destroyed.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or fn is NULL
 *         MOAT_E_STATE   the coroutine is DONE or TRAPPED
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM
 *
 * Ownership:     arg stays the caller's
 * Thread-safety: the owner's thread. Signal-safety: no.
 * Legal in:      FRESH, RUNNING, RESUMING, SUSPENDED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_defer(moat_co *co,
                                                  void (*fn)(void *),
                                                  void *arg);

/**
 * Traps the calling guest on purpose, under every policy: MOAT_TRAP_RAISED with
 * `user_code`. In a moat_notrap_call it ends that call. On the host's stack or
 * in a no-trap section without a recovery point it is a bug of the host, and
 * aborts.
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NORETURN void moat_trap_raise(int user_code);

/**
 * Asks, at the price of a load and a branch, whether the guest's deadline
 * passed while it could not be cut, in a no-trap section or under a policy: a
 * long section can end early, a helper can give up.
 *
 * Thread-safety: any. Signal-safety: yes.
 */
static inline bool moat_poll(void)
{
    return moat_tls.poll != 0;
}

MOAT_END_DECLS

#endif
