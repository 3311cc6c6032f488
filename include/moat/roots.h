/*
 * roots.h: for garbage collectors: where coroutines keep pointers.
 *
 * The local variables of a suspended guest are not only on its stack: some are
 * in registers, which the switch has stored in the control record. Those of a
 * trapped one are in its trap record. While a guest runs, its resumers wait,
 * and so does the host below them. moat_co_visit_roots and moat_visit_roots
 * report all of that. They leave out what a collector scans anyway: the stack
 * that a thread is on, from its stack pointer up, and its registers.
 * moat_stack_at returns where that stack ends.
 *
 * docs/garbage-collectors.md has the recipe; examples/collector.c is a host of
 * the Boehm collector.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ROOTS_H
#define MOAT_ROOTS_H

#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/guest.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Receives a range of memory that may hold pointers.
 *
 * The range is aligned to words and not empty. Words of it may be anything:
 * return addresses, integers, pointers of frames that have ended. Ranges may
 * overlap. A collector that moves objects may write to words that it knows to
 * be pointers.
 *
 * @param begin  the first word
 * @param end    the address after the last word
 * @param arg    as passed to the function that visits
 */
typedef void (*moat_root_visit)(void *begin, void *end, void *arg);

/**
 * Visits the roots of one coroutine.
 *
 *   SUSPENDED
 *     The stack from its stack pointer up, and the registers that its yield or
 *     transfer has stored in the control record.
 *   TRAPPED
 *     The same from the fault, and all registers of the trap record, those of
 *     the floating-point unit included. If the stack pointer was not on the
 *     stack, as after an overflow, the whole stack.
 *   RESUMING, or in moat_call_on_parent
 *     The stack from where it waits up, and its registers.
 *   RUNNING
 *     On the calling thread no part of the stack: the caller scans it, from its
 *     own frame up to the base (moat_stack_bounds). On another thread, which
 *     may have been stopped at any instruction, the whole stack.
 *   FRESH, DONE
 *     No stack.
 *
 * In each state also the pointer `user` of the options, the arguments of
 * moat_co_defer, and the library's pointers to what it has allocated. A range
 * begins below the stack pointer by as much as a function may use there (128
 * bytes on x86-64). Guards are never part of one.
 *
 * A stack that the guest has made (of swapcontext) is visited if it is
 * registered (moat_stack_register) and the guest waits or has trapped on it.
 * Not visited: its other ones, and memory of the C++ library, such as
 * exceptions in flight.
 *
 * @param co     of any thread
 * @param visit  called for each range, on the caller's stack; must not use moat
 *               except for functions that are signal-safe
 * @param arg    passed to visit
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  co or visit is NULL
 *
 * Ownership:     the ranges are the coroutine's
 * Thread-safety: any, while no other thread runs, resets or destroys the
 *                coroutine: the caller's thread owns it, or its thread has been
 *                stopped, or waits
 * Signal-safety: yes, if visit is
 * Legal in:      all states
 * Cost:          two to five calls of visit, and one for each moat_co_defer
 * See also:      moat_visit_roots, moat_stack_at, moat_stack_bounds
 */
MOAT_API moat_status moat_co_visit_roots(moat_co *co, moat_root_visit visit,
                                         void *arg);

/**
 * Visits the roots of all coroutines, and the host stacks that wait for them.
 *
 * These are the coroutines of all threads, as moat_co_visit_roots visits them.
 * A host's stack waits while its thread runs a guest: it is visited from where
 * it resumed the outermost coroutine up to the thread's first frame, with the
 * registers that the resume has stored. If the host switches stacks of its own,
 * such as those of swapcontext, those stacks are the host's to scan. Coroutines
 * that it has parked meanwhile (moat_guest_park) are visited.
 *
 * A collector that has stopped other threads with a signal also scans each from
 * its stack pointer up to the base that moat_stack_at returns; together these
 * ranges hold all roots, whichever instruction a thread was stopped at.
 *
 * It takes no lock, since a stopped thread may hold it.
 *
 * @param visit  as of moat_co_visit_roots
 * @param arg    passed to visit
 *
 * @return MOAT_OK, also if the engine is not initialised; or
 *         MOAT_E_INVAL   visit is NULL
 *         MOAT_E_SYSTEM  all was visited except the waiting stack of a thread
 *                        whose bounds the system did not report when the
 *                        thread was attached
 *
 * Thread-safety: any thread, while no other runs a coroutine or calls moat: the
 *                others have been stopped, or do not use it now
 * Signal-safety: yes, if visit is
 * Cost:          that of moat_co_visit_roots for each coroutine, and a look at
 *                each stack ever used
 * See also:      moat_co_visit_roots, moat_stack_at
 */
MOAT_API moat_status moat_visit_roots(moat_root_visit visit, void *arg);

/**
 * Finds the stack that contains an address: a coroutine's, one registered by
 * moat_stack_register, or an alternate signal stack of moat's.
 *
 * A collector calls it with the stack pointer of a thread that it has stopped.
 * It finds the stack of a coroutine of any thread, also while that thread
 * stands in the middle of a switch, and the alternate stack of a thread that
 * runs a signal handler.
 *
 * @param address   such as a stack pointer
 * @param[out] out  written only on MOAT_OK: base, limit and guard; `used` is
 *                  the distance from `address` to the base, high_water is 0
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL
 *         MOAT_E_STATE  it is on none of these: ask the thread library, as for
 *                       a host's stack
 *
 * Thread-safety: any thread, while no other is being attached or detached
 * Signal-safety: yes
 * See also:      moat_stack_bounds, moat_visit_roots
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_at(uintptr_t address,
                                                  moat_stack_info *out);

MOAT_END_DECLS

#endif
