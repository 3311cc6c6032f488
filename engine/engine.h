/*
 * engine.h: the process's state, initialised on demand.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_ENGINE_H
#define MOAT_ENGINE_ENGINE_H

#include <moat/engine.h>
#include <moat/syscall.h>

/* Initialises the engine with default options, unless it is initialised. */
moat_status moat_engine_ready(void);

/* Installs the handler of the deadline signal, at the first limit. */
moat_status moat_engine_need_deadlines(void);

/* Installs the handler of dispatched system calls, at the first policy or
 * bound. */
moat_status moat_engine_need_calls(void);

/* The same, and has those of this thread dispatched that the policy is for.
 * MOAT_E_UNSUPPORTED. */
moat_status moat_engine_need_syscalls(const moat_syscall_policy *policy);

#endif
