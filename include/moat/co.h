/*
 * co.h: coroutines, in the order in which a program meets them: create,
 * resume, yield, transfer, queries, cancel, reset, destroy. co_batch.h, which
 * it includes, has the calls for many at once.
 *
 *                    resume               yield, or
 *   create --> FRESH -------> RUNNING -------------------> SUSPENDED
 *                ^             |  ^ |  transfer to another     |
 *                |             |  | | resumes                  | resumed, or
 *                |             |  | | another                  | transferred
 *                |             |  | v                          | to
 *                |             |  RESUMING                     v
 *                |             |   (until that one stops)    RUNNING
 *                |             |                             (also by cancel)
 *                |             +--return--> DONE
 *                |             +--trap----> TRAPPED
 *                +--reset-- SUSPENDED, DONE, TRAPPED, FRESH
 *
 * destroy is legal in every state but RUNNING and RESUMING.
 *
 * A coroutine belongs to the thread that created it, until another one adopts
 * it: only its thread resumes, resets and destroys it. After that thread has
 * ended, any thread may destroy it.
 *
 * create, resume, yield, switch_to and destroy are inline; co_inline.h has the
 * bodies. The library has the same symbols out of line, for foreign-function
 * interfaces. With MOAT_NO_INLINE defined the headers declare only those.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CO_H
#define MOAT_CO_H

#include <moat/co_batch.h>
#include <moat/co_options.h>
#include <moat/cpu.h>
#include <moat/event.h>
#include <moat/export.h>
#include <moat/spec.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Creates a coroutine that will run a function on a guarded stack of its own.
 *
 * Initialises the engine and attaches the thread if that has not happened yet.
 * The stack comes from the thread's pool, or is the caller's (stack_kind).
 *
 * @param[out] out  the handle; written only on MOAT_OK
 * @param entry     the guest's entry function; not NULL
 * @param options   NULL for all defaults; copied, need not outlive the call
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out or entry is NULL; a size is out of range; an
 *                             unknown flag; a struct_size, here, in the limits
 *                             or in the script, that no version had; a script
 *                             without `walk`; `heap` is not a heap, or comes
 *                             with limits.memory_bytes; an unknown word in the
 *                             environment's MOAT_GUARD, MOAT_TRAP_SOURCE or
 *                             MOAT_PAGES; stack_memory without
 *                             MOAT_STACK_CALLER, or with it memory that is
 *                             NULL, too small, in use by another coroutine or
 *                             the caller, or not at a page's begin though there
 *                             is a guard; MOAT_CO_SCRUB_DISCARD or
 *                             limits.memory_bytes with MOAT_STACK_CALLER
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_STACK        the thread's guest was left by longjmp: destroy
 *                             it
 *         MOAT_E_GUARD_LIMIT  no mapping is left for a guard
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_UNSUPPORTED  a limit or an option that this build lacks;
 *                             MOAT_GUARD=madvise on a kernel without it;
 *                             MOAT_TRAP_SOURCE=sigsegv in a program that does
 *                             not link moat-sigsegv; a program with clang's
 *                             SafeStack
 *         MOAT_E_SYSTEM       a system call of the initialisation failed; see
 *                             errno
 *
 * Ownership:     the caller's, until moat_co_destroy
 * Thread-safety: any thread; the coroutine belongs to the calling one
 * Signal-safety: no
 * Cost:          no system call for a stack that was used before; inline
 *                without options, and a call and a comparison with options that
 *                the thread has used lately. With options of a host's own,
 *                moat_co_create_from is faster
 * See also:      moat_co_resume, moat_co_destroy, moat_co_create_from,
 *                moat_limits
 */
MOAT_API_INLINE MOAT_NODISCARD moat_status
moat_co_create(moat_co **out, moat_entry entry, const moat_co_options *options);

/**
 * Runs a coroutine until it yields, returns or traps.
 *
 * The event reports what the guest did; the status reports whether the call
 * was legal. On any status but MOAT_OK nothing has happened and `out` is not
 * written.
 *
 * If the guest has transferred to another coroutine (moat_co_switch_to), the
 * event is that coroutine's, and `out->co` is its handle: ask it, not `co`,
 * for the trap record, the report and the core.
 *
 * After a trap the registers are as the compiler expects them at a call:
 * direction flag clear, x87 stack empty, and the SSE and x87 control words as
 * they were at the first resume since the coroutine was created or reset
 * (saving them at each would cost more than the switch). With a time limit they
 * are those of the current resume. A yield or a return leaves the control words
 * as the guest has them.
 *
 * @param co        created by this thread
 * @param input     the entry function's argument at the first resume; later
 *                  the result of the guest's moat_co_yield
 * @param[out] out  the event; not NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running, resuming, done or trapped; or another
 *                        one has the stack (MOAT_STACK_COPIED)
 *         MOAT_E_NOMEM   no memory for the frames of the one that has the stack
 *                        (MOAT_STACK_COPIED)
 *         MOAT_E_STACK   the thread's guest was left by longjmp; only if co has
 *                        a time limit, or under a sanitizer
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of a guest's stack is left; only if
 *                        co has a time limit, or under a sanitizer
 *         MOAT_E_SYSTEM  the deadline timer could not be created
 *         MOAT_E_UNSUPPORTED  its policy for system calls cannot be put in
 *                        force: a forked child is forbidden to
 *
 * Ownership:     the value is the guest's; the exception of a PANIC becomes
 *                the host's
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED -> RUNNING
 * Cost:          no system call, no allocation; with a yield 0.2 to 0.5 of the
 *                time of Boost.Context's fcontext (bench/switch). With a time
 *                limit a sixth more, and seldom a clock reading and a
 *                timer_settime; totals of time are dearer (moat_limits)
 * See also:      moat_event, moat_co_trap_info, moat_limits
 */
MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_resume(moat_co *co,
                                                          void *input,
                                                          moat_event *out);

/**
 * Passes a value to the resumer and waits for the next resume.
 *
 * The call returns NULL without effect outside a coroutine, if `self` is not
 * the running one, and while a host call runs on its stack
 * (moat_call_on_parent). If the coroutine is cancelled while it waits, the call
 * does not return: it unwinds the caller.
 *
 * @param self   the running coroutine
 * @param value  the event's value
 * @return the input of the next resume or transfer
 *
 * Ownership:     unchanged; only pointers are passed
 * Thread-safety: the coroutine's thread
 * Signal-safety: no
 * Legal in:      RUNNING -> SUSPENDED
 * Cost:          see moat_co_resume
 */
MOAT_API_INLINE void *moat_co_yield(moat_co *self, void *value);

/**
 * Transfers control to another coroutine, which takes the caller's place.
 *
 * `self` is suspended where it stands. `other` runs under the same resumer
 * with `value` as its input, and what it does next is the event of the resume
 * that had entered `self`; the event's `co` is `other`. So a host whose
 * coroutines transfer must use the event's handle, not the one it resumed, for
 * the trap record, the report and the core; examples/handover.c does. No code
 * of the resumer runs, and its chain does not grow with the number of
 * transfers.
 *
 * The call returns when `self` is resumed or transferred to again. A coroutine
 * that stopped in a yield can be continued by a transfer, and one that stopped
 * in a transfer by a resume. If `self` is cancelled while it waits, the call
 * unwinds the caller instead.
 *
 * Each coroutine keeps its own limits: those of `self` end as at a yield,
 * those of `other` begin as at a resume. The same holds for no-trap sections,
 * deferred functions and policies. The SSE and x87 control words pass
 * unchanged. After a trap of `other` the resumer has those that it would have
 * after a trap of `self`.
 *
 * @param self        the running coroutine
 * @param other       created by this thread
 * @param value       the input of `other`
 * @param[out] input  what `self` is given when it continues; not NULL; written
 *                    only on MOAT_OK
 *
 * @return MOAT_OK when `self` continues; or, at once and with nothing changed,
 *         MOAT_E_INVAL   self, other or input is NULL
 *         MOAT_E_STATE   self is not the running coroutine, is being unwound
 *                        by moat_co_cancel or moat_co_destroy, or a host call
 *                        runs on its stack (moat_call_on_parent); or other is
 *                        not FRESH or SUSPENDED, as self is not
 *         MOAT_E_THREAD  other belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of stack is left to self or to a
 *                        guest that resumed it; only if one of them has a time
 *                        limit, other is fresh, or under a sanitizer
 *         MOAT_E_SYSTEM  the deadline timer could not be created
 *         MOAT_E_UNSUPPORTED  its policy for system calls cannot be put in
 *                        force: a forked child is forbidden to
 *
 * Ownership:     unchanged; only pointers are passed
 * Thread-safety: the coroutines' thread
 * Signal-safety: no
 * Legal in:      self: RUNNING -> SUSPENDED; other: FRESH, SUSPENDED ->
 *                RUNNING
 * Cost:          no system call, no allocation; 0.8 of the time of a bare jump
 *                of Boost.Context's fcontext (bench/switch). With a time limit
 *                as a resume
 */
MOAT_API_INLINE MOAT_NODISCARD moat_status moat_co_switch_to(moat_co *self,
                                                             moat_co *other,
                                                             void *value,
                                                             void **input);

/**
 * Returns the running coroutine of this thread; NULL on the host's stack.
 *
 * @return a handle, or NULL
 *
 * Ownership:     unchanged
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API moat_co *moat_co_current(void);

/**
 * Returns the state of a coroutine.
 *
 * @param co  NULL is allowed
 * @return the state; MOAT_CO_INVALID for NULL
 *
 * Thread-safety: any. The state of another thread's coroutine may have changed
 *                when the result is read, and RESUMING is reported as RUNNING
 * Signal-safety: yes
 * Legal in:      all states
 */
MOAT_API moat_co_state moat_co_get_state(const moat_co *co);

/**
 * Returns the name of a state, such as "suspended".
 *
 * @param state  any number
 * @return the name; "invalid" for a number that is no state
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_co_state_str(moat_co_state state);

/**
 * Returns the `user` pointer of the options.
 *
 * @param co  NULL is allowed
 * @return the pointer; NULL for NULL
 *
 * Ownership:     the host's
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      all states
 */
MOAT_API void *moat_co_user(const moat_co *co);

/**
 * Returns the entry function that the coroutine was created with.
 *
 * A library that makes coroutines of its own recognises them by their entry,
 * and then knows what their `user` points to.
 *
 * @param co  NULL is allowed
 * @return the function; NULL for NULL
 *
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      all states
 */
MOAT_API moat_entry moat_co_entry(const moat_co *co);

/**
 * Returns the coroutine's heap: that of the options, or its own if
 * limits.memory_bytes is not 0 or if it was given one (moat_guest_heap, which
 * moat-malloc calls when a guest first takes memory).
 *
 * moat_co_reset empties a heap of its own or replaces it (moat_heap_keep),
 * moat_co_destroy ends it. Until then it can be read as the guest left it.
 *
 * @param co  NULL is allowed
 * @return the heap; NULL: none
 *
 * Ownership:     the coroutine's, or its creator's
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      all states
 */
MOAT_API moat_heap *moat_co_heap(const moat_co *co);

/**
 * Returns the name from the options.
 *
 * @param co  NULL is allowed
 * @return the name; "" if there was none or co is NULL
 *
 * Ownership:     the coroutine's
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      all states
 */
MOAT_API const char *moat_co_name(const moat_co *co);

/**
 * Ends a suspended coroutine by unwinding its frames.
 *
 * Cleanup attributes of C compiled with -fexceptions, and C++ destructors, run
 * on the guest's stack, innermost first, as at a pthread_exit. A fresh
 * coroutine has nothing to unwind and is DONE at once. The event is one of:
 *
 *   RETURN
 *     All frames are gone; the value is NULL; now DONE. Frames compiled
 *     without -fexceptions are passed over. Frames without any unwind
 *     information end the unwinding early, and the frames above them are
 *     dropped.
 *   YIELD
 *     Cleanup code has yielded; now SUSPENDED. A resume continues it, and the
 *     unwinding with it. A second cancel unwinds from within the cleanup code,
 *     which works in C compiled by gcc. Compiled by clang it aborts, and C++
 *     calls std::terminate: both are traps.
 *   PANIC
 *     A catch (...), or cleanup code in C compiled by gcc, has thrown; now
 *     DONE.
 *   TRAP
 *     Cleanup code has trapped; now TRAPPED. std::terminate is such a trap:
 *     C++ calls it where an unwinding meets a noexcept function (destructors
 *     are), where a destructor throws, and at a catch (...) inside the handler
 *     of another exception.
 *
 * A catch (...) that does not rethrow ends the unwinding: the guest continues,
 * and the event is what it does next. abi::__forced_unwind catches the
 * unwinding by name; std::uncaught_exceptions() does not count it. If cleanup
 * code traps in a moat_notrap_call that the guest was in, the other frames of
 * that call are dropped and the unwinding continues with its caller.
 *
 * The unwinder takes about 6 KiB of the guest's stack; with less the guest
 * overflows it, which is a trap. The coroutine's limits hold as in a resume.
 *
 * C++ keeps one list per thread of the exceptions that are being handled. A
 * guest that yields inside a catch clause shares that list with its host. Both
 * must leave their catch clauses in the reverse of the order in which they
 * entered them. moat/moat.hpp keeps the lists apart.
 *
 * @param co        created by this thread
 * @param[out] out  the event; not NULL; written only on MOAT_OK
 *
 * @return MOAT_OK, whatever the guest did; or, with nothing changed,
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running, resuming, done or trapped
 *         MOAT_E_STACK   the thread's guest was left by longjmp
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of the calling guest's stack is left
 *         MOAT_E_SYSTEM  the deadline timer could not be created
 *         MOAT_E_UNSUPPORTED  its policy for system calls cannot be put in
 *                        force: a forked child is forbidden to
 *
 * Ownership:     unchanged; the coroutine is destroyed by moat_co_destroy
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED -> DONE, SUSPENDED or TRAPPED
 * Cost:          that of unwinding each frame of the guest
 * See also:      moat_co_reset, moat_co_defer, moat_limits
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_cancel(moat_co *co,
                                                   moat_event *out);

/**
 * Makes a stopped coroutine fresh, so that the next resume starts it again.
 *
 * The entry function, the options and the stack stay the same. The evidence of
 * a trap (registers, stack contents) is lost: take the report first. The
 * frames of a suspended guest are dropped without running their cleanup code:
 * cancel it first if that code must run. Deferred functions (moat_co_defer)
 * run first.
 *
 * @param co  created by this thread
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co is NULL
 *         MOAT_E_STATE        it is running or resuming, or its deferred
 *                             functions are running
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_SYSTEM       scrubbing failed; the deferred functions have
 *                             run, and the coroutine is DONE or, as before,
 *                             TRAPPED: it can be reset again or destroyed
 *         MOAT_E_NOMEM        its heap could not be emptied; the same
 *         MOAT_E_GUARD_LIMIT  its heap could not be emptied, as no mapping is
 *                             left (vm.max_map_count); the same
 *
 * Ownership:     unchanged
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED -> FRESH
 * Cost:          no system call unless the options ask for scrubbing
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_reset(moat_co *co);

/**
 * Destroys a coroutine and returns its stack to the pool.
 *
 * A suspended coroutine is cancelled first and destroyed whatever the outcome:
 * if its cleanup code yields or traps, or if it catches the unwinding and
 * yields again, the remaining frames are dropped; an exception that comes out
 * is deleted. To drop all frames without running code of the guest, reset it
 * first. The frames of a coroutine whose thread has ended are dropped, too.
 * Deferred functions (moat_co_defer) run next, last registered first.
 *
 * A coroutine that was left by longjmp is freed, too: the caller must be on the
 * stack to which that led. All that were left with it are DONE then.
 *
 * The call has no effect, and aborts in builds with assertions, if the
 * coroutine is running or resuming, its deferred functions are running, or it
 * belongs to another living thread.
 *
 * A guest that calls it with less than 8 KiB of stack left overflows the stack
 * before anything is lost: it traps, or its moat_notrap_call ends. In another
 * no-trap section, or under a policy other than MOAT_CO_RECOVER_ANYWHERE, the
 * process aborts.
 *
 * @param co  NULL is allowed
 *
 * Ownership:     ends the caller's
 * Thread-safety: the owner's thread; any thread after that one has ended
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 * Cost:          inline for a coroutine that is DONE and was created without
 *                options
 * See also:      moat_co_cancel, moat_engine_trim
 */
MOAT_API_INLINE void moat_co_destroy(moat_co *co);

MOAT_END_DECLS

#include <moat/co_inline.h>

#endif
