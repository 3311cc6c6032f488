/*
 * state.c: what can be asked about a coroutine: its state, owner, name, stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/state.h"

#include "engine/coroutine.h"
#include "engine/nointr.h"
#include "engine/thread.h"
#include "sys/pagemap.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/altstack.h"
#include "trap/own_stacks.h"
#include "trap/stack_owner.h"

/* --- may it be used? ------------------------------------------------------ */

moat_status moat_co_check_resumable(const struct co *co)
{
    moat_status status = moat_co_check_owner(co);

    if (status != MOAT_OK)
        return status;
    return co->control.state == co->control.token ? MOAT_OK : MOAT_E_STATE;
}

/* --- state and name ------------------------------------------------------- */

moat_co *moat_co_current(void)
{
    struct co *co = moat_running();

    return co != NULL ? handle_of(co) : NULL;
}

/* The mark means that the coroutine runs. Only its own thread can distinguish
 * whether it runs itself or waits for one that it resumed. */
static moat_co_state running_state(const moat_co *handle)
{
    if (owner_of(co_of(handle)) != moat_thread_self() ||
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
    case MOAT_MARK_TIMED:
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
    return handle != NULL ? handle->user : NULL;
}

const char *moat_co_name(const moat_co *handle)
{
    const char *name = handle != NULL ? co_of(handle)->name : NULL;

    return name != NULL ? name : "";
}

/* --- stack ---------------------------------------------------------------- */

size_t moat_stack_used(const struct moat_slot *slot, uintptr_t sp)
{
    if (sp >= slot->limit && sp <= slot->base)
        return slot->base - sp;
    return slot->base - slot->limit;
}

uintptr_t moat_stack_last_page_end(const struct moat_slot *slot)
{
    return (slot->base + moat_page_bytes() - 1) & ~(moat_page_bytes() - 1);
}

moat_status moat_stack_lowest(const struct moat_slot *slot, uintptr_t *lowest)
{
    moat_status status = moat_pagemap_lowest(
        moat_page_of(slot->limit), moat_stack_last_page_end(slot), lowest);

    if (status == MOAT_OK && *lowest < slot->limit)
        *lowest = slot->limit;
    return status;
}

void moat_stack_describe(const struct moat_slot *slot, uintptr_t sp,
                         moat_stack_info *out)
{
    out->base = slot->base;
    out->limit = slot->limit;
    out->guard = slot->guard;
    out->high_water = 0;
    out->used = moat_stack_used(slot, sp);
}

/* Whether a guard lies below a stack that a guest has made is not known. */
static void describe_range(const struct moat_range *stack, uintptr_t sp,
                           moat_stack_info *out)
{
    out->base = stack->end;
    out->limit = out->guard = stack->begin;
    out->high_water = 0;
    out->used = stack->end - sp;
}

moat_status moat_stack_bounds(moat_stack_info *out)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    struct co *co = moat_running();
    struct moat_range stack;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    if (co == NULL)
        return MOAT_E_STATE;
    if (moat_own_stacks_find(sp, &stack))
        describe_range(&stack, sp, out);
    else if (moat_stack_is_on(co, sp) || moat_altstack_contains(sp))
        moat_stack_describe(&co->slot, sp, out);
    else
        return MOAT_E_STACK;
    return MOAT_OK;
}

static uintptr_t stopped_sp(const struct co *co)
{
    switch (co->control.state) {
    case MOAT_MARK_TRAPPED:
        return moat_trapped_sp(co);
    case MOAT_MARK_DONE:
        return co->slot.base;
    default:
        return moat_switch_sp(&co->control);
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
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "out is NULL");
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (!moat_co_is_stopped(co))
        return MOAT_E_STATE;
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    slot = &co->slot;
    status = moat_stack_lowest(slot, &lowest);
    moat_sealed_end();
    if (status != MOAT_OK)
        return status;
    moat_stack_describe(slot, stopped_sp(co), &info);
    info.high_water = lowest < slot->base ? slot->base - lowest : 0;
    *out = info;
    return MOAT_OK;
}
