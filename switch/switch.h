/*
 * switch.h: the contract of a switch backend: how the thread leaves one stack
 * for another. MOAT_SWITCH chooses the backend when moat is built.
 *
 * The inline half of the contract is in <moat/switch/...>: moat_switch_resume
 * is the first entry and each later one, moat_switch_yield and
 * moat_switch_transfer suspend. This is the rest, for the library alone. The
 * native backend is the port's (arch.h); the others share portable.c.
 *
 * What holds for each of them:
 *
 * - The record has the words of both sides (fp, pc, sp) as they are after the
 *   return of the call that switched. Unwinders and debuggers need no more.
 * - The state is RUNNING from when the words of the resumer are complete until
 *   those of the coroutine are. While the thread's word names a coroutine that
 *   is not RUNNING, a handler waits.
 * - A trap rewrites the context of its signal so that the resumer continues.
 *   The root frame, host calls and recovery points are the port's with every
 *   backend.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_SWITCH_H
#define MOAT_SWITCH_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/co.h>

#include "arch/arch.h"

/* The input and the command for a coroutine that continues. */
struct moat_switch_input {
    void *input;
    uint64_t command; /* MOAT_COMMAND_... */
};

/* Leaves `co` for its resumer and never returns. The guest's stack stays as it
 * is. Also leaves for the landing of moat_arch_try. */
MOAT_NORETURN static inline void moat_switch_leave(moat_co *co, void *value,
                                                   uint64_t kind)
{
    moat_arch_leave(co, value, kind);
}

/* Resumes `co`, which is suspended, with MOAT_COMMAND_UNWIND: its yield does
 * not return but calls moat_co_unwind. Returns as a resume does. */
void moat_switch_resume_unwinding(moat_co *co, void *input,
                                  struct moat_switched *back);

/* Suspends `self`, the caller, and continues `other`, which
 * moat_switch_take_over has prepared and which is the thread's current
 * coroutine. Returns when `self` continues. */
struct moat_switch_input moat_switch_to(moat_co *self, moat_co *other,
                                        void *value);

#if MOAT_SWITCH_PORTABLE
#    include "switch/portable.h"
#else
#    include "switch/native.h"
#endif

/* Whether guests have threads of their own (carrier.h). */
#ifndef MOAT_SWITCH_CREWS
#    define MOAT_SWITCH_CREWS 0
#endif

/* A coroutine that has stopped is made fresh or destroyed: if it is suspended,
 * it never continues there. Before its stack is used otherwise. */
#if !MOAT_SWITCH_CREWS
static inline void moat_switch_forget(const moat_co *co)
{
    (void)co;
}
#endif

#endif
