/*
 * cancel.c: suspended coroutines ended by unwinding: the canceller's side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/cancel.h"

#include <unwind.h>

#include "engine/coroutine.h"
#include "engine/exceptions.h"
#include "engine/nointr.h"
#include "engine/resume.h"
#include "engine/state.h"
#include "trap/preempt.h"
#include "trap/watch.h"

/* A fresh coroutine has no frames. Those of a preempted one are not at a call,
 * so no unwinder can run their cleanup code. */
static moat_status end_at_once(struct co *co, struct moat_switched *back)
{
    moat_status status = moat_nointr_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    if ((co->traits & CO_ACCOUNTED) != 0 && moat_arch_is_fresh(handle_of(co)))
        moat_watch_begin_life(co);
    co->control.flags |= CO_SPECIAL;
    co->control.state = MOAT_MARK_DONE;
    back->value = NULL;
    back->kind = MOAT_EVENT_RETURN;
    back->co = handle_of(co);
    return MOAT_OK;
}

/* The canceller waits for this coroutine: its cleanup code may not transfer to
 * another. */
static moat_status unwind(struct co *co, struct moat_switched *back)
{
    moat_status status;

    co->control.flags |= CO_CANCELLED;
    status = moat_resume_run(co, NULL, MOAT_COMMAND_UNWIND, back);
    co->control.flags &= (uint16_t)~CO_CANCELLED;
    return status;
}

moat_status moat_co_cancel(moat_co *handle, moat_event *out)
{
    struct co *co = co_of(handle);
    unsigned uncaught = moat_exceptions_uncaught();
    struct moat_switched back;
    moat_status status = moat_resume_check(co, out);

    if (status != MOAT_OK)
        return status;
    if (moat_arch_is_fresh(handle) || moat_is_preempted(co))
        status = end_at_once(co, &back);
    else
        status = unwind(co, &back);
    if (status != MOAT_OK)
        return status;
    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co);
    /* "throw;" counts the unwinding that it continues, and nothing uncounts it.
     */
    if (back.kind == MOAT_EVENT_RETURN)
        moat_exceptions_set_uncaught(uncaught);
    return moat_resume_finish(&back, out);
}

void moat_cancel_for_destroy(struct co *co)
{
    moat_co *handle = handle_of(co);
    moat_event event;

    /* Frames of an ended thread are not whole: its thread-local storage is
     * gone. A fresh coroutine has no frames. */
    if (moat_co_get_state(handle) != MOAT_CO_SUSPENDED ||
        moat_co_check_owner(co) != MOAT_OK)
        return;
    if (moat_co_cancel(handle, &event) == MOAT_OK &&
        event.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(event.value);
}
