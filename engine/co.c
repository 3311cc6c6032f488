/*
 * co.c: coroutines reset and destroyed, and what can be asked of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/internal.h"
#include "stack/size.h"

/* --- stacks -------------------------------------------------------------- */

static uintptr_t last_page_end(const struct moat_slot *slot)
{
    return (slot->base + MOAT_PAGE_BYTES - 1) & ~(MOAT_PAGE_BYTES - 1);
}

static moat_status scrub(const struct co *co)
{
    const struct moat_slot *slot = &co->activation.slot;
    uintptr_t high = last_page_end(slot);

    switch (co->activation.co.flags & MOAT_CO_SCRUB_MASK) {
    case MOAT_CO_SCRUB_ZERO:
        return moat_pages_zero(slot->limit, high);
    case MOAT_CO_SCRUB_DISCARD:
        return moat_pages_discard(slot->limit, high);
    default:
        return MOAT_OK;
    }
}

/* Back to the pool, for another. Zeroing waits until it is worth a system call;
 * dropping does not, for the memory is what it is about. A stack that cannot be
 * scrubbed must not be handed on: it is lost until the engine shuts down. */
static void give_stack(struct co *co)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_pool *pool = thread != NULL ? &thread->pool : NULL;
    struct moat_slot *slot = &co->activation.slot;
    unsigned scrubbing = co->activation.co.flags & MOAT_CO_SCRUB_MASK;

    if (scrubbing == MOAT_CO_SCRUB_DISCARD && scrub(co) != MOAT_OK)
        return;
    if (pool == NULL || scrubbing == MOAT_CO_SCRUB_ZERO ||
        moat_trim_stack_bytes() != 0)
        moat_pool_put_used(pool, slot, scrubbing == MOAT_CO_SCRUB_ZERO);
    else
        moat_pool_put(pool, slot);
}

/* --- reset and destroy --------------------------------------------------- */

static bool is_stopped(const struct co *co)
{
    uint64_t state = co->activation.co.state;

    return state == co->activation.co.token || state == MOAT_MARK_DONE ||
           state == MOAT_MARK_TRAPPED;
}

moat_status moat_co_check_owner(const struct co *co)
{
    return co->owner == moat_thread_self() ? MOAT_OK : MOAT_E_THREAD;
}

static void end_annotations(struct co *co)
{
    const struct moat_slot *slot = &co->activation.slot;

    if (moat_annotate_active())
        moat_annotate_end(&cold_of(co)->fiber, slot->limit, slot->base);
}

static moat_entry guest_entry(const struct co *co)
{
    return moat_annotate_active() ? cold_of(co)->entry
                                  : co->activation.co.entry;
}

static moat_status reset(struct co *co)
{
    moat_status status;

    end_annotations(co);
    status = scrub(co);
    if (moat_annotate_active())
        moat_annotate_begin(&cold_of(co)->fiber);
    if (status == MOAT_OK)
        moat_resume_prepare(co, guest_entry(co));
    return status;
}

moat_status moat_co_reset(moat_co *handle)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!is_stopped(co) || moat_is_ending(co))
        return MOAT_E_STATE;
    status = moat_stack_reserve(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    moat_defers_run(co);
    moat_hold_enter();
    status = reset(co);
    moat_hold_end();
    return status;
}

/* A coroutine whose thread has ended belongs to whoever destroys it. */
static bool may_destroy(struct co *co)
{
    return co->activation.co.state != MOAT_MARK_FREE && is_stopped(co) &&
           (co->owner == moat_thread_self() ||
            !atomic_load(&co->owner->alive)) &&
           !moat_is_ending(co);
}

static void destroy(struct co *co)
{
    struct moat_thread *owner = co->owner;

    end_annotations(co);
    free(co->name);
    co->name = NULL;
    co->activation.co.state = MOAT_MARK_FREE;
    give_stack(co);
    moat_thread_release(owner);
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
    moat_hold_require(MOAT_HOLD_BYTES);
    if (co->activation.co.state == co->activation.co.token)
        moat_cancel_for_destroy(co);
    moat_defers_run(co);
    moat_hold_enter();
    destroy(co);
    moat_hold_end();
}

extern __typeof__(moat_co_destroy_slow)
    destroy_outline __asm__("moat_co_destroy")
        __attribute__((alias("moat_co_destroy_slow"), visibility("default")));

/* --- questions ----------------------------------------------------------- */

moat_co *moat_co_current(void)
{
    struct moat_activation *activation = moat_trap_current();

    return activation != NULL ? &activation->co : NULL;
}

/* Of a coroutine whose mark says that it runs: does it, or one it resumed? Only
 * its own thread knows. */
static moat_co_state running_state(const moat_co *handle)
{
    if (co_of(handle)->owner != moat_thread_self() ||
        handle == moat_co_current())
        return MOAT_CO_RUNNING;
    return MOAT_CO_RESUMING;
}

moat_co_state moat_co_get_state(const moat_co *handle)
{
    if (handle == NULL)
        return MOAT_CO_INVALID;
    switch (handle->state) {
    case MOAT_MARK_RUNNING:
        return running_state(handle);
    case MOAT_MARK_DONE:
        return MOAT_CO_DONE;
    case MOAT_MARK_TRAPPED:
        return MOAT_CO_TRAPPED;
    case MOAT_MARK_FREE:
        return MOAT_CO_INVALID;
    default:
        return moat_arch_is_fresh(handle) ? MOAT_CO_FRESH : MOAT_CO_SUSPENDED;
    }
}

void *moat_co_user(const moat_co *handle)
{
    return handle != NULL ? co_of(handle)->user : NULL;
}

const char *moat_co_name(const moat_co *handle)
{
    const char *name = handle != NULL ? co_of(handle)->name : NULL;

    return name != NULL ? name : "";
}

static void describe_stack(const struct moat_slot *slot, uintptr_t sp,
                           moat_stack_info *out)
{
    out->base = slot->base;
    out->limit = slot->limit;
    out->guard = slot->guard;
    out->high_water = 0;
    out->used = slot->base - slot->limit;
    if (sp >= slot->limit && sp <= slot->base)
        out->used = slot->base - sp;
}

moat_status moat_stack_bounds(moat_stack_info *out)
{
    const struct moat_activation *activation = moat_trap_current();

    if (out == NULL)
        return MOAT_E_INVAL;
    if (activation == NULL)
        return MOAT_E_STATE;
    describe_stack(&activation->slot, (uintptr_t)__builtin_frame_address(0),
                   out);
    return MOAT_OK;
}

static uintptr_t stopped_sp(const struct co *co)
{
    switch (co->activation.co.state) {
    case MOAT_MARK_TRAPPED:
        return cold_of(co)->trap.regs.sp;
    case MOAT_MARK_DONE:
        return co->activation.slot.base;
    default:
        return co->activation.co.sp;
    }
}

moat_status moat_co_stack_info(const moat_co *handle, moat_stack_info *out)
{
    const struct co *co = co_of(handle);
    const struct moat_slot *slot;
    moat_stack_info info;
    uintptr_t lowest;
    moat_status status;

    if (co == NULL || out == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!is_stopped(co))
        return MOAT_E_STATE;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    slot = &co->activation.slot;
    status = moat_pages_lowest(slot->limit, last_page_end(slot), &lowest);
    moat_hold_end();
    if (status != MOAT_OK)
        return status;
    describe_stack(slot, stopped_sp(co), &info);
    info.high_water = lowest < slot->base ? slot->base - lowest : 0;
    *out = info;
    return MOAT_OK;
}
