/*
 * lock_search.c: functions on a dead stack that may hold a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/lock_search.h"

#include <stdatomic.h>
#include <stddef.h>

#include "unwind/locks.h"

static atomic_bool seen;

bool moat_poison_seen(void)
{
    return atomic_load(&seen);
}

/* Whether a function counts depends on its caller, which is the next frame. */
bool moat_lock_search_see(struct moat_lock_search *search,
                          const moat_frame *frame)
{
    bool exact = (frame->flags & MOAT_FRAME_TRAP) != 0;

    if (search->found != NULL)
        return false;
    if (search->pc != 0)
        search->found = moat_locks_find(search->pc, frame->pc);
    /* A return address may be the first byte of the next function. */
    search->pc = exact ? frame->pc : frame->pc - 1;
    if (search->found != NULL)
        atomic_store(&seen, true);
    return search->found == NULL;
}
