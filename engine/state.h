/*
 * state.h: what can be asked about a coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_STATE_H
#define MOAT_ENGINE_STATE_H

#include <moat/moat.h>

#include "engine/thread.h"
#include "trap/coroutine.h"

/* MOAT_E_THREAD: this thread does not own the coroutine. MOAT_E_STATE: it was
 * destroyed, and its home may be gone. */
static inline moat_status moat_co_check_owner(const struct co *co)
{
    if (co->control.state == MOAT_MARK_FREE)
        return MOAT_E_STATE;
    return owner_of(co) == moat_thread_self() ? MOAT_OK : MOAT_E_THREAD;
}

/* Returns whether the coroutine is FRESH, SUSPENDED, DONE or TRAPPED. */
static inline bool moat_co_is_stopped(const struct co *co)
{
    uint64_t state = co->control.state;

    return state == co->control.token || state == MOAT_MARK_DONE ||
           state == MOAT_MARK_TRAPPED;
}

/* MOAT_E_THREAD, or MOAT_E_STATE: this thread may not resume it, cancel it or
 * switch to it. */
moat_status moat_co_check_resumable(const struct co *co);

/* Returns how much of a stack is in use at `sp`; all of it if sp lies outside.
 */
size_t moat_stack_used(const struct moat_slot *slot, uintptr_t sp);

/* Finds the lowest page of a stack that was touched, or the limit. Of lent
 * memory: that anyone has touched. MOAT_E_SYSTEM. */
moat_status moat_stack_lowest(const struct moat_slot *slot, uintptr_t *lowest);

/* Fills in all but the high-water mark, which is 0. Signal-safe: yes. */
void moat_stack_describe(const struct moat_slot *slot, uintptr_t sp,
                         moat_stack_info *out);

/* Returns the end of the last page that holds a part of the stack. */
uintptr_t moat_stack_last_page_end(const struct moat_slot *slot);

#endif
