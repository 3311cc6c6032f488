/*
 * guest.c: what a guest asks of the engine for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/internal.h"

static moat_status defer(struct co *co, void (*fn)(void *), void *arg)
{
    struct moat_defer *made = malloc(sizeof *made);

    if (made == NULL)
        return MOAT_E_NOMEM;
    made->next = co->defers;
    made->fn = fn;
    made->arg = arg;
    co->defers = made;
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

void moat_trap_raise(int user_code)
{
    struct moat_activation *activation = moat_trap_current();

    /* A bug of the host: there is nobody to whom the trap could go. */
    if (activation == NULL || !moat_trap_possible(activation))
        abort();
    moat_trap_now(activation, MOAT_TRAP_RAISED, user_code);
}
