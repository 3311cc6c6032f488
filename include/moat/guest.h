/*
 * guest.h: calls for code that runs on a guest's stack.
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

/** The bounds and the use of a stack, which grows down. */
typedef struct moat_stack_info {
    /* Highest address, exclusive. */
    uintptr_t base;
    /* Lowest usable address. */
    uintptr_t limit;
    /* Lowest address of the guard, which ends at `limit`. */
    uintptr_t guard;
    /* Bytes between the stack pointer and `base`. */
    size_t used;
    /* Bytes between the lowest touched page and `base`. 0 from
     * moat_stack_bounds. */
    size_t high_water;
} moat_stack_info;

/* A stack that a guest has made for itself; never reused. */
typedef uint64_t moat_stack_id;

/* The thread's guest, parked. */
typedef struct moat_parked moat_parked;

MOAT_BEGIN_DECLS

/**
 * Calls a function of the host on the resumer's stack (a host call).
 *
 * Use it for functions that need more stack than a guest has, or that must not
 * be interrupted: an allocator, stdio, everything that takes a lock.
 *
 * During the call the guest does not run: moat_co_current returns the resumer,
 * and moat_co_yield does nothing for either coroutine. A fault is the host's
 * and is fatal. The function may create and resume other coroutines, and may
 * call moat_co_defer for the guest. No-trap sections that it leaves open are
 * closed.
 *
 * Deadlines are deferred. If one passed meanwhile, the guest traps when the
 * call ends and the result is lost: a function that acquires something for the
 * guest must record it, or register its release by moat_co_defer, itself. The
 * guest's limits do not stop what the function resumes either; the limits of
 * the resumer, if that is a guest, do.
 *
 * The guest's own stack must have 2 KiB left; otherwise it overflows before
 * the function is called. The guest traps, or its moat_notrap_call ends; in
 * another no-trap section, or under a policy other than
 * MOAT_CO_RECOVER_ANYWHERE, the process aborts.
 *
 * @param self  the running coroutine
 * @param fn    must return: no longjmp and no exception out of it; a
 *              cancellation of the thread waits until it has
 * @param arg   passed to fn
 * @return the result of fn; NULL, at once and without effect, if fn is NULL or
 *         self is not the running coroutine
 *
 * Ownership:     unchanged
 * Thread-safety: the coroutine's thread
 * Signal-safety: no
 * Legal in:      RUNNING
 * See also:      moat_notrap_enter, moat_stack_reserve
 */
MOAT_API void *moat_call_on_parent(moat_co *self, void *(*fn)(void *),
                                   void *arg);

/**
 * Calls a function of the host's for a guest, which answers for its faults.
 *
 * Use it for functions of the host that are safe only on a stack of its size,
 * and that a guest calls with arguments of its own: printf with a bad pointer
 * ends the guest, not the host.
 *
 * The function runs as in moat_call_on_parent, but on the stack of the host: a
 * guest that was resumed by another skips the latter's stack. A fault in it
 * traps the guest, or ends the guest's innermost moat_notrap_call. Where a
 * fault of the guest's own would be fatal (a section of moat_notrap_enter,
 * another policy than MOAT_CO_RECOVER_ANYWHERE) this one is, too. So is one
 * outside the function's frames: in a coroutine that it resumes and that is in
 * such a section, in a signal handler of the host's, in `undo`, and an
 * overflow of the host's stack.
 *
 * After a fault the function's frames are dropped, not unwound. `undo` then
 * runs on the same stack, as the host, and releases what they held. Then the
 * guest is stopped. moat_trap_info.in_host_call is set, and a backtrace shows
 * the function's innermost frames, up to 24, before the guest's.
 *
 * The guest's own stack, and that of each guest on the way to the host, must
 * have 2 KiB left; otherwise the caller overflows, as in moat_call_on_parent.
 *
 * @param self  the running coroutine
 * @param fn    must return: no longjmp and no exception out of it; a
 *              cancellation of the thread waits until it has
 * @param undo  NULL, or called with `arg` after a fault; returns whether it
 *              gave back every lock that fn may have held. Otherwise
 *              moat_co_lock_function names the function that may hold one
 * @param arg   passed to fn and undo
 * @return the result of fn; NULL, at once and without effect, if fn is NULL or
 *         self is not the running coroutine
 *
 * Ownership:     unchanged
 * Thread-safety: the coroutine's thread
 * Signal-safety: no
 * Legal in:      RUNNING
 * See also:      moat_call_on_parent, moat_notrap_call
 */
MOAT_API void *moat_call_for_guest(moat_co *self, void *(*fn)(void *),
                                   bool (*undo)(void *), void *arg);

/**
 * Opens a no-trap section, in which the calling guest is not interrupted.
 *
 * Until the matching moat_notrap_leave a deadline waits, and a fault is fatal
 * to the process, as a fault of the host is. Sections nest, 65,535 deep; one
 * more aborts. On the host's stack the call has no effect. A signal handler
 * cannot close a section that it has opened.
 *
 * Thread-safety: any
 * Signal-safety: yes
 * See also:      moat_notrap_leave, moat_notrap_call
 */
MOAT_API void moat_notrap_enter(void);

/**
 * Closes a no-trap section.
 *
 * If a deadline passed in the section, the guest traps when it closes the
 * outermost one, and the call does not return. Under a policy that protects
 * the caller the deadline still waits. An unmatched leave has no effect. That
 * includes a leave in a function called by moat_notrap_call or
 * moat_call_on_parent that opened no section itself.
 *
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_notrap_enter, moat_poll
 */
MOAT_API void moat_notrap_leave(void);

/**
 * Calls a function in a no-trap section with a recovery point.
 *
 * A fault in the function (an overflow, an abort, a moat_trap_raise too) ends
 * the call, not the guest or the process, whatever the coroutine's policy.
 * Calls nest. Exceptions may pass, and the function may yield.
 *
 * The frames of the function are dropped, not unwound: locks that it took stay
 * held, and no call reports whether they were locks of the C library, as
 * moat_co_is_poisoned does for a trapped coroutine. Code that may fault while
 * it holds one belongs in a coroutine of its own. In a section that the
 * function opens itself by moat_notrap_enter a fault is fatal; sections that
 * it leaves open are closed. A call that the guest leaves by a longjmp of its
 * own is over: a later fault does not return to it.
 *
 * If a deadline passed inside, the guest traps when the call ends, however it
 * ends, and the call does not return, unless the policy protects the caller.
 * It also does not return if the function faults while being unwound by
 * moat_co_cancel; unwinding then continues with the caller.
 *
 * @param fn        not NULL
 * @param arg       passed to fn
 * @param[out] out  NULL, or the trap record if MOAT_E_FAULT is returned, as of
 *                  moat_co_trap_info; its `regs` are valid until the coroutine
 *                  faults again, is reset or destroyed
 *
 * @return MOAT_OK, or
 *         MOAT_E_FAULT  fn has faulted
 *         MOAT_E_INVAL  fn is NULL, or out->struct_size is that of no version;
 *                       fn has not been called
 *         MOAT_E_STATE  on the host's stack, whose faults are the host's: run
 *                       such code in a coroutine
 *         MOAT_E_LIMIT  less than 8 KiB of the stack is left
 *         MOAT_E_NOMEM  no memory, in a call inside another
 *
 * Ownership:     out->regs points into the coroutine
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API MOAT_NODISCARD moat_status moat_notrap_call(void (*fn)(void *),
                                                     void *arg,
                                                     moat_trap_info *out);

/**
 * Checks that enough stack is left below the caller.
 *
 * Call it before code that cannot cope with an overflow. It asks about the
 * stack that the caller runs on: the coroutine's, or another one that the guest
 * has made. If that one is not registered (moat_stack_register), the call
 * checks whether that much memory lies below, which may be more than the stack
 * has.
 *
 * @param bytes  the number of bytes that must be left
 *
 * @return MOAT_OK, always on the host's stack, or
 *         MOAT_E_LIMIT  less is left
 *
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_reserve(size_t bytes);

/**
 * Returns the bounds of the stack that the caller runs on.
 *
 * For garbage collectors and interpreters.
 *
 * @param[out] out  written only on MOAT_OK; high_water is 0; of a stack that
 *                  the guest has registered `guard` is `limit`
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL
 *         MOAT_E_STATE  on the host's stack: ask the thread library
 *         MOAT_E_STACK  on a stack that is neither the coroutine's nor
 *                       registered
 *
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_bounds(moat_stack_info *out);

/**
 * Registers a stack that a guest has made for itself.
 *
 * For guests that run fibers of their own (swapcontext, Boost.Context): on a
 * registered stack moat_stack_reserve and moat_stack_bounds know the bounds,
 * and a fault is the running guest's beyond doubt. On one that is not
 * registered it is the host's if the host runs fibers itself. The stack may be
 * a part of the coroutine's. The registration holds for all threads, until it
 * is undone: by the guest before it frees the memory, or by a function that it
 * has passed to moat_co_defer, in case that it traps.
 *
 * @param lowest    the stack's lowest usable address
 * @param bytes     its size
 * @param[out] out  for moat_stack_unregister; written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL    lowest or out is NULL, or the size is 0 or too large
 *         MOAT_E_OVERLAP  a part of it is already registered
 *         MOAT_E_STATE    called by the `fix` of a fault region
 *         MOAT_E_LIMIT    less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM    no memory
 *
 * Ownership:     the memory stays the caller's
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_stack_unregister, moat_guest_park
 */
MOAT_API MOAT_NODISCARD moat_status moat_stack_register(const void *lowest,
                                                        size_t bytes,
                                                        moat_stack_id *out);

/**
 * Undoes moat_stack_register.
 *
 * @param id  from moat_stack_register
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  no stack is registered under that number
 *         MOAT_E_STATE  called by the `fix` of a fault region
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API moat_status moat_stack_unregister(moat_stack_id id);

/**
 * Sets the thread's guest aside, before the host switches fibers of its own.
 *
 * A guest that calls into the host may have to wait there, and a host with
 * fibers (swapcontext, Boost.Fiber, bthread) then runs another fiber on the
 * thread. moat cannot see that. The host parks the guest before it switches and
 * unparks it when it comes back to this fiber:
 *
 *     moat_parked *parked = moat_guest_park();
 *     switch_to_another_fiber();
 *     status = moat_guest_unpark(parked);
 *
 * In between the thread is the host's: moat_co_current returns NULL, a fault
 * goes to the host's handlers, and other coroutines are created, resumed and
 * parked in turn. The guest and those that wait for it are RESUMING. Their
 * limits do not stop the other fiber. Real time goes on for them, CPU time does
 * not; a limit that has passed stops the guest after it is unparked.
 *
 * Without this, a fault on another stack still goes to the host if the stack is
 * known to be in use: the thread's own, that of another coroutine, or any other
 * one once moat has seen the host on a stack that is not the thread's own. But
 * the guest's limits run against the other fiber, and coroutines that it
 * resumes must stop before the thread comes back to the guest.
 *
 * @return the guest, for moat_guest_unpark; NULL: the thread has none
 *
 * Ownership:     the coroutine's; valid until it is unparked
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_guest_unpark, moat_stack_register
 */
MOAT_API MOAT_NODISCARD moat_parked *moat_guest_park(void);

/**
 * Makes a parked guest the thread's again.
 *
 * It is called on the stack on which moat_guest_park was called, before the
 * fiber returns to the guest.
 *
 * @param parked  from moat_guest_park; NULL: nothing is done
 *
 * @return MOAT_OK, or, with nothing changed,
 *         MOAT_E_STATE   it is not parked; or a guest runs on this thread that
 *                        must be parked first
 *         MOAT_E_THREAD  it was parked by another thread, to which its
 *                        coroutines belong
 *
 * Ownership:     ends the caller's, on MOAT_OK
 * Thread-safety: the thread that parked it
 * Signal-safety: no
 * See also:      moat_guest_park
 */
MOAT_API MOAT_NODISCARD moat_status moat_guest_unpark(moat_parked *parked);

/**
 * Returns the bounds, use and high-water mark of a stopped coroutine's stack.
 *
 * The mark counts the pages touched since the stack was last scrubbed with
 * MOAT_CO_SCRUB_DISCARD, or given back by moat_engine_trim or the option
 * keep_stack_bytes of moat_engine_options. It is exact only with
 * MOAT_CO_SCRUB_DISCARD.
 *
 * @param co        created by this thread
 * @param[out] out  written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running or resuming
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of a guest's stack is left
 *         MOAT_E_SYSTEM  /proc/self/pagemap cannot be read; see errno
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_stack_info(const moat_co *co,
                                                       moat_stack_info *out);

/**
 * Registers a function to be called when the coroutine ends in any way.
 *
 * It runs at a return, a trap, a reset or a destroy, on the stack of the
 * thread that resumed, reset or destroyed the coroutine, before that call
 * returns; never on the guest's stack. The functions run last registered
 * first, each once. As they run before the resume returns, they must not free
 * what the event's value points to, nor what the script's `walk` reads for a
 * report of the trap.
 *
 * In the function the coroutine is DONE, or TRAPPED with its record available;
 * a resume, reset or destroy of it, and another moat_co_defer, are refused
 * (MOAT_E_STATE). A fault in the function is the resumer's: on the host's stack
 * it is fatal. An exception propagates out of the call that ran the function
 * and leaves it half done; longjmp is not allowed.
 *
 * If a function exits by an exception, or the guest running it (or that guest's
 * moat_notrap_call) ends, the remaining functions run at the next reset or
 * destroy.
 *
 * @param co   created by this thread
 * @param fn   not NULL
 * @param arg  passed to fn
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or fn is NULL
 *         MOAT_E_STATE   the coroutine is DONE or TRAPPED
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM   no memory
 *
 * Ownership:     arg stays the caller's
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, RUNNING, RESUMING, SUSPENDED
 * See also:      moat_co_cancel, moat_co_reset, moat_co_destroy
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_defer(moat_co *co,
                                                  void (*fn)(void *),
                                                  void *arg);

/**
 * Traps the calling guest on purpose, under every policy.
 *
 * The trap is MOAT_TRAP_RAISED with `user_code`. In a moat_notrap_call it ends
 * that call. On the host's stack, or in a no-trap section without a recovery
 * point, the call is a bug of the host, and aborts.
 *
 * @param user_code  for moat_trap_info.user_code
 *
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_co_trap_info, moat_notrap_call
 */
MOAT_API MOAT_NORETURN void moat_trap_raise(int user_code);

/**
 * Traps the calling guest on purpose, with a kind of trap.
 *
 * Like moat_trap_raise, with a kind of the caller's choice. It is for code that
 * keeps guests from calls they must not make, such as moat-malloc's exit.
 *
 * @param kind       not MOAT_TRAP_NONE; any other number is kept as it is
 * @param user_code  for moat_trap_info.user_code
 *
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_trap_raise, moat_co_trap_info
 */
MOAT_API MOAT_NORETURN void moat_trap_raise_as(moat_trap_kind kind,
                                               int user_code);

/**
 * Returns whether a deadline has passed while the guest was protected from it.
 *
 * The guest is protected in a no-trap section or by its policy. A long section
 * can use the result to end early, a helper to give up.
 *
 * @return true if a deadline waits
 *
 * Thread-safety: any
 * Signal-safety: yes
 * Cost:          a load and a branch
 * See also:      moat_notrap_enter, moat_limits
 */
static inline bool moat_poll(void)
{
    return moat_tls.poll != 0;
}

MOAT_END_DECLS

#endif
