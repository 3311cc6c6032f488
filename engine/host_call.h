/*
 * host_call.h: host calls: a guest has a function of the host run on its
 * resumer's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_HOST_CALL_H
#define MOAT_ENGINE_HOST_CALL_H

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "engine/nointr.h"

/* Returns this thread's host calls, innermost first. */
const struct moat_host_call *moat_host_calls(void);

/* Returns the guest that this thread has entered last: the running one, or the
 * one whose host call runs. NULL: none. */
struct co *moat_host_call_innermost(void);

/* Takes the host calls off the thread, or puts others there; returns those that
 * were there. Signal-safe: yes. */
struct moat_host_call *moat_host_calls_replace(struct moat_host_call *by);

/* Cancellations of the thread may come again, as before the outermost of these
 * calls, or wait again for its end, while the calls are off the thread. NULL:
 * no effect. */
void moat_host_calls_allow_cancellation(const struct moat_host_call *innermost);
void moat_host_calls_defer_cancellation(const struct moat_host_call *innermost);

/* Returns how many no-trap sections `co`, the running coroutine, had open when
 * a host call on its stack had opened its own; 0: no such call is going on. */
uint32_t moat_host_call_sections(const struct co *co);

/* Makes a host call of the running coroutine, in whose cold part `call` lies:
 * all but `outer` has been filled in, and there is enough stack. */
void *moat_host_call_run(struct moat_host_call *call);

/* Returns the stack that a host call takes from the guest. Sanitizers take
 * more. */
static inline size_t moat_host_call_stack(void)
{
    return moat_annotate_active() ? MOAT_STACK_FOR_ENTRY
                                  : MOAT_STACK_FOR_HOST_CALL;
}

/* After `stopped` was stopped: ends the host calls that it was about to make or
 * had just made, and those that were made for it. */
void moat_host_call_landed(const struct co *stopped);

#endif
