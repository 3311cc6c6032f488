/*
 * room.c: how much is left of the stack that the caller runs on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/room.h"

#include "engine/nointr.h"
#include "engine/thread.h"
#include "sys/memory.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "sys/stack.h"
#include "trap/coroutine.h"
#include "trap/own_stacks.h"
#include "trap/stack_owner.h"

/* Of threads that are not attached, the bounds of the first are known. */
static struct moat_own_stack own_stack(void)
{
    const struct moat_thread *thread = moat_thread_self();

    return thread != NULL ? thread->own_stack : moat_first_stack();
}

/* Pages asked for at once: the parts lie on the stack in question. */
#define PAGES 16

/* Returns whether a byte can be read of each of the next pages from *at on,
 * and moves there. */
static bool can_read_some(uintptr_t *at, uintptr_t end)
{
    struct moat_memory_part parts[PAGES];
    char to[PAGES];
    size_t count = 0, copied;

    for (; *at < end && count < PAGES;
         *at = moat_page_of(*at) + moat_page_bytes())
        parts[count++] = (struct moat_memory_part){*at, 1};
    return moat_memory_read(parts, count, to, &copied) == MOAT_OK &&
           copied == count;
}

/* A stack of another thread, or of the host's making, ends at a guard, or at an
 * unknown address. */
static bool can_read(uintptr_t at, uintptr_t end)
{
    while (at < end) {
        if (!can_read_some(&at, end))
            return false;
    }
    return true;
}

static bool lies_in(uintptr_t sp, uintptr_t limit, uintptr_t base)
{
    return sp >= limit && sp < base;
}

bool moat_room_for(size_t bytes)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    const struct co *co = moat_running();
    struct moat_own_stack own;
    struct moat_range range;

    if (co != NULL)
        return moat_stack_has(co, sp, bytes);
    if (moat_own_stacks_find(sp, &range))
        return sp - range.begin >= bytes;
    own = own_stack();
    if (lies_in(sp, own.limit, own.base))
        return sp - own.limit >= bytes;
    return sp > bytes && can_read(sp - bytes, sp);
}

moat_status moat_room_begin(size_t bytes)
{
    if (!moat_room_for(bytes))
        return moat_refuse_value(
            MOAT_E_LIMIT, "less than %u bytes of the stack are left", bytes);
    moat_nointr_enter();
    return MOAT_OK;
}
