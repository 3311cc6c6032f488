/*
 * syscalls.h: policies for the system calls of guests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_SYSCALLS_H
#define MOAT_ENGINE_SYSCALLS_H

#include "engine/coroutine.h"
#include "engine/spec.h"

/* Tells the trap layer how a policy is asked. */
void moat_syscalls_serve(void);

/* Returns whether the program runs under a tool whose runtime makes system
 * calls between any two instructions, or delivers signals late. */
bool moat_syscalls_are_hidden(void);

/* Copies a policy; MOAT_E_UNSUPPORTED with a note: there can be none here. */
moat_status moat_syscalls_check(const moat_syscall_policy *asked,
                                moat_syscall_policy *out);

/* Returns the code that a checked policy is for. */
struct moat_filter_scope moat_syscalls_scope(const moat_syscall_policy *policy);

/* Before a guest is entered, which `resumer` will wait for: whether the kernel
 * dispatches its calls. One guest's policy cannot be for some code, and that of
 * a guest inside it for other code, since the kernel knows one range.
 * MOAT_E_UNSUPPORTED, with a note. */
moat_status moat_syscalls_ready(struct co *co, struct co *resumer);

/* Gives a coroutine that is being made its policy, and begins a life. */
void moat_syscalls_set(struct co *co, const struct spec *spec);
void moat_syscalls_forget(struct co *co);

#endif
