/*
 * defers.c: the functions left by moat_co_defer. While they run their coroutine
 * can be neither reset nor destroyed.
 *
 * That lasts until they have returned, or until whoever runs them will never go
 * on: an exception has passed, or it is a guest that has ended, or whose call
 * of moat_notrap_call has. So a coroutine knows who ends it, and a guest which
 * coroutines it is ending, innermost first. The words lie in the cold parts:
 * a guest that dies leaves nothing on its stack that must be believed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/internal.h"

/* --- who ends whom ---------------------------------------------------------
 */

struct co *moat_ending_innermost(const struct co *by)
{
    return by->activation.co.flags & CO_ENDS ? cold_of(by)->ends : NULL;
}

static void set_innermost(struct co *by, struct co *co)
{
    cold_of(by)->ends = co;
    if (co != NULL)
        by->activation.co.flags |= CO_ENDS;
    else
        by->activation.co.flags &= (uint16_t)~CO_ENDS;
}

void moat_ending_drop(struct co *by, const struct co *down_to)
{
    struct co *co;

    moat_hold_enter();
    while ((co = moat_ending_innermost(by)) != down_to && co != NULL) {
        set_innermost(by, cold_of(co)->ending_outer);
        co->activation.co.flags &= (uint16_t)~CO_ENDING;
    }
    moat_hold_end();
}

bool moat_is_ending(struct co *co)
{
    struct co *by;

    if (!(co->activation.co.flags & CO_ENDING))
        return false;
    by = cold_of(co)->ending_by;
    if (by != NULL && (by->activation.co.state == MOAT_MARK_DONE ||
                       by->activation.co.state == MOAT_MARK_TRAPPED))
        moat_ending_drop(by, NULL);
    return co->activation.co.flags & CO_ENDING;
}

static void begin_ending(struct co *co)
{
    struct moat_activation *current = moat_trap_current();
    struct co_cold *cold = cold_of(co);

    moat_hold_enter();
    cold->ending_by = current != NULL ? co_of(&current->co) : NULL;
    if (cold->ending_by != NULL) {
        cold->ending_outer = moat_ending_innermost(cold->ending_by);
        set_innermost(cold->ending_by, co);
    }
    co->activation.co.flags |= CO_ENDING;
    moat_hold_end();
}

/* Also when an exception passes. Frames that were jumped over count no more. */
static void end_ending(struct co **ending)
{
    struct co *co = *ending;
    struct co_cold *cold = cold_of(co);

    if (cold->ending_by != NULL)
        moat_ending_drop(cold->ending_by, cold->ending_outer);
    else
        co->activation.co.flags &= (uint16_t)~CO_ENDING;
}

/* --- the functions -------------------------------------------------------- */

static void run(struct co *co)
{
    __attribute__((cleanup(end_ending), unused)) struct co *ending = co;

    begin_ending(co);
    while (co->defers != NULL) {
        struct moat_defer *defer = co->defers;
        void (*fn)(void *) = defer->fn;

        /* If the caller is a guest and is cut in it, it has had its turn; the
         * rest runs when the coroutine is reset or destroyed. */
        defer->fn = NULL;
        if (fn != NULL)
            fn(defer->arg);
        moat_hold_enter();
        co->defers = defer->next;
        free(defer);
        moat_hold_end();
    }
}

void moat_defers_run(struct co *co)
{
    /* None of them can resume it: its end has begun. */
    if (co->activation.co.state == co->activation.co.token) {
        co->activation.co.flags |= CO_SPECIAL;
        co->activation.co.state = MOAT_MARK_DONE;
    }
    if (co->activation.co.flags & CO_ENDS)
        moat_ending_drop(co, NULL);
    if (co->defers != NULL)
        run(co);
}

static moat_status defer(struct co *co, void (*fn)(void *), void *arg)
{
    struct moat_defer *made = malloc(sizeof *made);

    if (made == NULL)
        return MOAT_E_NOMEM;
    made->next = co->defers;
    made->fn = fn;
    made->arg = arg;
    co->defers = made;
    co->activation.co.flags |= CO_SPECIAL;
    return MOAT_OK;
}

moat_status moat_co_defer(moat_co *handle, void (*fn)(void *), void *arg)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL || fn == NULL)
        return MOAT_E_INVAL;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (handle->state == MOAT_MARK_DONE || handle->state == MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = defer(co, fn, arg);
    moat_hold_end();
    return status;
}
