/*
 * defers.c: the functions registered by moat_co_defer.
 *
 * While they run, their coroutine can be neither reset nor destroyed. This
 * lasts until they return or their caller can no longer continue: an exception
 * unwound it, the calling guest ended, or the calling guest's moat_notrap_call
 * failed. Each coroutine therefore records the guest that is ending it, and
 * each guest the coroutines that it is ending, innermost first. The records are
 * in the cold part, because the stack of a dead guest cannot be trusted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/defers.h"

#include <stdlib.h>

#include "engine/coroutine.h"
#include "engine/nointr.h"
#include "engine/state.h"
#include "sys/refusal.h"

/* --- which coroutine ends which ---------------------------------------
 */

struct co *moat_ending_innermost(const struct co *by)
{
    return by->control.flags & CO_ENDS ? cold_of(by)->ends : NULL;
}

static void set_innermost(struct co *by, struct co *co)
{
    cold_of(by)->ends = co;
    if (co != NULL)
        by->control.flags |= CO_ENDS;
    else
        by->control.flags &= (uint16_t)~CO_ENDS;
}

void moat_ending_drop(struct co *by, const struct co *down_to)
{
    struct co *co;

    moat_nointr_enter();
    while ((co = moat_ending_innermost(by)) != down_to && co != NULL) {
        set_innermost(by, cold_of(co)->ending_outer);
        co->control.flags &= (uint16_t)~CO_ENDING;
    }
    moat_nointr_end();
}

bool moat_is_ending(struct co *co)
{
    struct co *by;

    if (!(co->control.flags & CO_ENDING))
        return false;
    by = cold_of(co)->ending_by;
    if (by != NULL && (by->control.state == MOAT_MARK_DONE ||
                       by->control.state == MOAT_MARK_TRAPPED))
        moat_ending_drop(by, NULL);
    return co->control.flags & CO_ENDING;
}

static void begin_ending(struct co *co)
{
    struct co_cold *cold = cold_of(co);

    moat_nointr_enter();
    cold->ending_by = moat_running();
    if (cold->ending_by != NULL) {
        cold->ending_outer = moat_ending_innermost(cold->ending_by);
        set_innermost(cold->ending_by, co);
    }
    co->control.flags |= CO_ENDING;
    moat_nointr_end();
}

/* Runs when an exception passes, too. Frames that were jumped over no longer
 * count. */
static void end_ending(struct co **ending)
{
    struct co *co = *ending;
    struct co_cold *cold = cold_of(co);

    if (cold->ending_by != NULL)
        moat_ending_drop(cold->ending_by, cold->ending_outer);
    else
        co->control.flags &= (uint16_t)~CO_ENDING;
}

/* A deferred function. */
struct moat_defer {
    struct moat_defer *next; /* registered before this one */
    void (*fn)(void *);
    void *arg;
};

/* --- the functions -------------------------------------------------------- */

static void run(struct co *co)
{
    __attribute__((cleanup(end_ending), unused)) struct co *ending = co;

    begin_ending(co);
    while (co->defers != NULL) {
        struct moat_defer *defer = co->defers;
        void (*fn)(void *) = defer->fn;

        /* If the caller is a guest that is stopped inside fn, fn does not run
         * again; the rest run when the coroutine is reset or destroyed. */
        defer->fn = NULL;
        if (fn != NULL)
            fn(defer->arg);
        moat_sealed_enter();
        co->defers = defer->next;
        free(defer);
        moat_sealed_end();
    }
}

void moat_defers_run(struct co *co)
{
    /* Its end has begun: no deferred function can resume it. */
    if (co->control.state == co->control.token) {
        co->control.flags |= CO_SPECIAL;
        co->control.state = MOAT_MARK_DONE;
    }
    if (co->control.flags & CO_ENDS)
        moat_ending_drop(co, NULL);
    if (co->defers != NULL)
        run(co);
}

void moat_defers_visit(const struct co *co, moat_root_visit visit, void *arg)
{
    for (struct moat_defer *each = co->defers; each != NULL; each = each->next)
        visit(&each->arg, &each->arg + 1, arg);
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
    co->control.flags |= CO_SPECIAL;
    return MOAT_OK;
}

moat_status moat_co_defer(moat_co *handle, void (*fn)(void *), void *arg)
{
    struct co *co = co_of(handle);
    moat_status status;

    if (co == NULL || fn == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "fn is NULL");
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    if (handle->state == MOAT_MARK_DONE || handle->state == MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = defer(co, fn, arg);
    moat_sealed_end();
    return status;
}
