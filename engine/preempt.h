/*
 * preempt.h: a guest whose time slice has ended leaves, and comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_PREEMPT_H
#define MOAT_ENGINE_PREEMPT_H

struct co;

/* Tells the trap layer how to suspend a guest. */
void moat_preempt_serve(void);

/* Of a coroutine that begins a life. */
void moat_preempt_forget(struct co *co);

#endif
