/*
 * reset.c: stopped coroutines made fresh, or destroyed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/borrow.h"
#include "engine/cancel.h"
#include "engine/coroutine.h"
#include "engine/defers.h"
#include "engine/heaps.h"
#include "engine/left.h"
#include "engine/make.h"
#include "engine/nointr.h"
#include "engine/resume.h"
#include "engine/state.h"
#include "engine/thread.h"
#include "stack/lent.h"
#include "stack/scrub.h"
#include "stack/trim.h"
#include "sys/refusal.h"
#include "trap/recovery.h"

/* --- stacks -------------------------------------------------------------- */

/* Lent memory: its pages may be of any kind, and the last one has the record.
 */
static void scrub_lent(const struct co *co)
{
    if ((co->control.flags & MOAT_CO_SCRUB_MASK) == MOAT_CO_SCRUB_ZERO)
        moat_stack_clear(co->slot.limit, co->slot.base);
}

static moat_status scrub(const struct co *co)
{
    const struct moat_slot *slot = &co->slot;
    uintptr_t high = moat_stack_last_page_end(slot);

    if (moat_slot_is_lent(slot)) {
        scrub_lent(co);
        return MOAT_OK;
    }
    switch (co->control.flags & MOAT_CO_SCRUB_MASK) {
    case MOAT_CO_SCRUB_ZERO:
        return moat_stack_zero(slot->limit, high);
    case MOAT_CO_SCRUB_DISCARD:
        return moat_stack_discard(slot->limit, high);
    default:
        return MOAT_OK;
    }
}

/* Returns the stack to the pool. Zeroing waits until it is worth a system call;
 * dropping does not, since its purpose is to release the memory. A stack that
 * cannot be scrubbed must not be used again: it is lost until the engine shuts
 * down. */
static void give_stack(struct co *co)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_pool *pool = thread != NULL ? &thread->pool : NULL;
    struct moat_slot *slot = &co->slot;
    unsigned scrubbing = co->control.flags & MOAT_CO_SCRUB_MASK;

    if (scrubbing == MOAT_CO_SCRUB_DISCARD && scrub(co) != MOAT_OK)
        return;
    if (pool == NULL || scrubbing == MOAT_CO_SCRUB_ZERO ||
        moat_trim_stack_bytes() != 0)
        moat_pool_put_used(pool, slot, scrubbing == MOAT_CO_SCRUB_ZERO);
    else
        moat_pool_put(pool, slot);
}

/* --- reset and destroy --------------------------------------------------- */

static void end_annotations(struct co *co)
{
    const struct moat_slot *slot = &co->slot;

    if (moat_annotate_active())
        moat_annotate_end(&cold_of(co)->fiber, slot->limit, slot->base);
}

static moat_entry guest_entry(const struct co *co)
{
    return moat_annotate_active() ? cold_of(co)->entry : co->control.entry;
}

static moat_status reset(struct co *co)
{
    moat_status status;

    moat_switch_forget(&co->control);
    end_annotations(co);
    status = scrub(co);
    if (moat_annotate_active())
        moat_annotate_begin(&cold_of(co)->fiber);
    if (status == MOAT_OK)
        status = moat_co_heap_reset(co);
    if (status == MOAT_OK)
        moat_resume_prepare(co, guest_entry(co));
    return status;
}

moat_status moat_co_reset(moat_co *handle)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL)
        return moat_refuse(MOAT_E_INVAL, "co is NULL");
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!moat_co_is_stopped(co) || moat_is_ending(co))
        return MOAT_E_STATE;
    status = moat_stack_reserve(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    moat_defers_run(co);
    moat_sealed_enter();
    status = reset(co);
    moat_sealed_end();
    return status;
}

/* Its frames cannot be unwound while others use the stack. */
static bool is_blocked(const struct co *co)
{
    return co->control.state == co->control.token &&
           !moat_arch_is_fresh(&co->control) && moat_is_away(co) &&
           moat_copied_is_blocked(&owner_of(co)->copied, co);
}

/* Any thread may destroy a coroutine whose thread has ended. */
static bool may_destroy(struct co *co)
{
    return co->control.state != MOAT_MARK_FREE &&
           (moat_co_is_stopped(co) || moat_left_end(co)) &&
           (owner_of(co) == moat_thread_self() ||
            moat_thread_has_ended(owner_of(co))) &&
           !moat_is_ending(co) && !is_blocked(co);
}

static void destroy(struct co *co)
{
    struct moat_home *home = co->control.home;

    moat_switch_forget(&co->control);
    end_annotations(co);
    if (co->recovers)
        moat_recovery_drop(co);
    if (home->owner == moat_thread_self() && moat_make_again(co))
        return;
    moat_unmake(co);
    if (moat_slot_is_lent(&co->slot))
        scrub_lent(co);
    if (!moat_borrow_return(co))
        give_stack(co);
    moat_thread_release(home);
}

void moat_co_destroy_slow(moat_co *handle)
{
    struct co *co = co_of(handle);

    if (co == NULL || !may_destroy(co)) {
#ifndef NDEBUG
        if (co != NULL)
            abort(); /* the caller's bug; release builds leave it alone */
#endif
        return;
    }
    moat_stack_require(MOAT_STACK_FOR_ENTRY);
    if (co->control.state == co->control.token)
        moat_cancel_for_destroy(co);
    moat_defers_run(co);
    moat_sealed_enter();
    destroy(co);
    moat_sealed_end();
}
