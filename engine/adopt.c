/*
 * adopt.c: coroutines that pass from one thread to another.
 *
 * A coroutine belongs to its thread by two words: the home that counts it, and
 * the token by which the inline functions recognise it. Its stack, its heap and
 * its limits belong to no thread. The former owner may be at work meanwhile,
 * and counts without a lock: those that depart from a home are counted apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/coroutine.h"
#include "engine/create.h"
#include "engine/defers.h"
#include "engine/nointr.h"
#include "engine/state.h"
#include "engine/thread.h"
#include "stack/lent.h"
#include "sys/refusal.h"

/* Its code may be about to use the address of a variable of its thread. */
static bool was_interrupted(const struct co *co)
{
    return (co->traits & CO_LIMITED) != 0 &&
           moat_guest_clock_of(co)->limits.slice_ns != 0 &&
           co->control.state == co->control.token &&
           moat_preemption_of(co)->suspended;
}

static moat_status check(struct co *co)
{
    return moat_co_is_stopped(co) && !moat_is_ending(co) && !was_interrupted(co)
               ? MOAT_OK
               : MOAT_E_STATE;
}

static void move(struct co *co, struct moat_home *to)
{
    struct moat_home *from = co->control.home;
    bool resumable = co->control.state == co->control.token;

    co->control.token += to->owner->token - from->owner->token;
    if (resumable)
        co->control.state = co->control.token;
    else if (co->control.state == MOAT_MARK_TRAPPED) /* frames of that thread */
        cold_of(co)->resumer_pc = cold_of(co)->resumer_sp = 0;
    co->control.home = to;
    moat_thread_take(to);
    moat_thread_depart(from);
}

static moat_status adopt(struct co *co)
{
    struct moat_spec *spec = co->control.home->spec;
    struct moat_home *to = &moat_thread_self()->homes.loose;
    moat_status status =
        spec != NULL ? moat_create_find_home(spec_of(spec), &to) : MOAT_OK;

    if (status == MOAT_OK)
        move(co, to);
    return status;
}

/* The shared stack and the images are the thread's, as is the list by which its
 * handlers find lent memory. */
static moat_status check_kind(const struct co *co)
{
    if (moat_is_copied(co) || moat_slot_is_lent(&co->slot))
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "co has MOAT_STACK_COPIED or MOAT_STACK_CALLER: it "
                           "stays with its thread");
    return MOAT_OK;
}

moat_status moat_co_adopt(moat_co *handle)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL)
        return moat_refuse(MOAT_E_INVAL, "co is NULL");
    status = check(co);
    if (status != MOAT_OK || owner_of(co) == moat_thread_self())
        return status;
    status = check_kind(co);
    if (status != MOAT_OK)
        return status;
    status = moat_create_begin();
    if (status != MOAT_OK)
        return status;
    status = adopt(co);
    moat_sealed_end();
    return status;
}
