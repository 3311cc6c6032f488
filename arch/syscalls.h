/*
 * syscalls.h: the port contract for the system calls of guests: a part of
 * arch.h of its own.
 *
 * The system calls of a guest with a policy are filtered by a byte of the
 * thread, which the kernel reads at each system call: the selector. A handler
 * that interrupts the guest needs system calls, its return among them, so it
 * clears the byte, and the guest must not continue before it is set again. No
 * instruction of a handler can do that. So the handler returns to code that
 * does: it lies outside any range whose calls would be let through, and a guest
 * that jumps to it only has itself filtered.
 *
 * All of it runs inside handlers, except moat_arch_preempted_result and what
 * follows it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_SYSCALLS_H
#define MOAT_ARCH_SYSCALLS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <moat/syscall.h>

#include "arch/arch.h"

/* The registers with which interrupted code continues. Needed until that code
 * has set the selector, and not longer. */
struct moat_arch_filtered {
    uintptr_t bx, pc, sp;
    volatile unsigned char *selector;
};

/* Makes the handler return to code that sets the selector and then continues
 * where the signal came. It writes below the red zone of the interrupted code.
 */
void moat_arch_filter_return(void *ucontext, struct moat_arch_filtered *words);

/* If the context is in that code and the selector may not be set yet: makes it
 * that of the code that was to continue, and returns true. */
bool moat_arch_filter_undo(void *ucontext,
                           const struct moat_arch_filtered *words);

/* Makes the handler return to code that makes the dispatched system call with
 * the registers of the context, sets the selector, and continues after the
 * call. It uses no stack. The caller has cleared the selector. */
void moat_arch_filter_call(void *ucontext, struct moat_arch_filtered *words);

/* Returns whether the handler returns to code of the library's own: a landing,
 * or the code that preempts. */
bool moat_arch_is_led_away(const void *ucontext);

/* A dispatched system call, read from its signal; false: it is not one of the
 * CPU's own ABI. */
bool moat_arch_call_from_context(const siginfo_t *info, const void *ucontext,
                                 moat_syscall *out);

/* Makes the handler return as if the call had failed with this error. */
void moat_arch_call_failed(void *ucontext, int error);

/* Makes the handler return to the instruction of the dispatched call. */
void moat_arch_call_again(void *ucontext);

/* For a dispatched return from a handler: returns where the kernel would read
 * the context of the code that the handler has interrupted. */
void *moat_arch_context_to_restore(const void *ucontext);

/* Sets the result of the call that a guest is suspended in, which
 * moat_arch_preempt has led away: what the guest continues with. */
void moat_arch_preempted_result(const struct moat_arch_preempted *words,
                                long result);

/* Returns the kernel's number of the CPU's own ABI (linux/audit.h); 0: there is
 * no other that would have to be told apart, or no filter. */
uint32_t moat_arch_audit(void);

/* Returns whether a call can be made for a guest without harm to the filter, or
 * to what else the library needs of the thread. */
bool moat_arch_may_perform(const moat_syscall *call);

/* Makes a system call. Returns its result, or -errno. */
long moat_arch_syscall(const moat_syscall *call);

/* Returns "?" for a number without a name. */
const char *moat_arch_syscall_name(long number);

#endif
