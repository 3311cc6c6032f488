/*
 * poison.c: did a trapped guest die with a lock of the process's in its hands?
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"
#include "unwind/unwind.h"

/* Asked, and none was found. */
static const char none[] = "";

static atomic_bool seen;

bool moat_poison_seen(void)
{
    return atomic_load(&seen);
}

struct search {
    uintptr_t pc; /* in the frame seen before; 0: in none */
    const char *found;
};

/* A function counts by whom it was called from, the frame behind it. */
static bool see(const moat_frame *frame, void *arg)
{
    struct search *search = arg;
    bool exact = (frame->flags & MOAT_FRAME_TRAP) != 0;

    if (search->pc != 0)
        search->found = moat_locks_find(search->pc, frame->pc);
    /* A return address may be the first byte of the next function. */
    search->pc = exact ? frame->pc : frame->pc - 1;
    return search->found == NULL;
}

static moat_status find(const struct co *co, const char **out)
{
    struct search search = {0, NULL};
    moat_status status = moat_backtrace_guest(co, see, &search);

    if (search.found != NULL)
        atomic_store(&seen, true);
    *out = search.found != NULL ? search.found : none;
    return status;
}

moat_status moat_co_lock_function(const moat_co *handle, const char **out)
{
    const struct co *co = co_of(handle);
    struct moat_trap_record *record;
    moat_status status;

    if (co == NULL || out == NULL)
        return MOAT_E_INVAL;
    if (handle->state != MOAT_MARK_TRAPPED)
        return MOAT_E_STATE;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    record = moat_trap_record_of(&co->activation);
    if (record->lock == NULL) {
        status = find(co, &record->lock);
        if (status != MOAT_OK) {
            record->lock = NULL;
            return status;
        }
    }
    *out = record->lock != none ? record->lock : NULL;
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

    (void)status; /* what cannot be found out is not seen */
}
