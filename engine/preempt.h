/*
 * preempt.h: a guest whose time slice has ended leaves, and comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_PREEMPT_H
#define MOAT_ENGINE_PREEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct co;

/* Tells the trap layer how to suspend a guest. */
void moat_preempt_serve(void);

/* Of a coroutine that begins a life. */
void moat_preempt_forget(struct co *co);

/*
 * The C++ runtime has one list per thread of the exceptions that are being
 * handled. A guest that yields inside a catch clause knows that it shares the
 * list, but one that is preempted there does not. So it takes its list along,
 * and its resumer finds its own as it was. When the guest has left the clauses,
 * it shares its resumer's list again. Resumes of such guests are not inline:
 * the first call comes before each, the second after it, with the event of the
 * coroutine that came back; a transfer counts as a yield.
 */
bool moat_preempt_needs_library(uint64_t slice_ns);
void moat_preempt_entering(struct co *co);
void moat_preempt_left(struct co *co, uint64_t kind);

#endif
