/*
 * poison.c: coroutines that trapped while they may have held a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/poison.h"

#include <moat/moat.h>

#include "engine/state.h"
#include "sys/refusal.h"
#include "trace/backtrace.h"

moat_status moat_co_lock_function(const moat_co *handle, const char **out)
{
    const struct co *co = co_of(handle);
    const struct moat_trap_record *record;
    moat_status status;

    if (co == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "out is NULL");
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    record = moat_trap_record_of(co);
    if (record->lock == NULL)
        status = moat_backtrace_search_locks(co);
    if (status != MOAT_OK)
        return status;
    *out = record->lock != NULL && *record->lock != '\0' ? record->lock : NULL;
    return MOAT_OK;
}

bool moat_co_is_poisoned(const moat_co *handle)
{
    const char *function;
    moat_status status = moat_co_lock_function(handle, &function);

    if (status == MOAT_OK)
        return function != NULL;
    return status != MOAT_E_INVAL && status != MOAT_E_STATE;
}

void moat_poison_look(const moat_co *handle)
{
    const char *function;
    moat_status status = moat_co_lock_function(handle, &function);

    (void)status; /* without a result the process counts as not poisoned */
}
