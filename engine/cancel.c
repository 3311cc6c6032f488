/*
 * cancel.c: the end of a suspended guest by unwinding: its cleanup code runs,
 * frame by frame, on its own stack.
 *
 * A forced unwind, as pthread_exit does it (Itanium C++ ABI, Exception
 * Handling, 1.6.3): it starts inside the yield in which the guest waits, so
 * that the unwinder sees nothing unusual, and its stop function leaves for the
 * canceller when it has come to the root frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* "MOATcncl": of no language's runtime, so catch clauses by type pass it by. */
#define EXCEPTION_CLASS UINT64_C(0x4d4f4154636e636c)

/* --- the guest's side ---------------------------------------------------- */

unsigned moat_unwindings(const struct co *co)
{
    return cold_of(co)->unwindings;
}

/* A catch clause has ended and not rethrown it. */
static void caught(_Unwind_Reason_Code reason,
                   struct _Unwind_Exception *exception)
{
    struct co_cold *cold =
        (struct co_cold *)((uintptr_t)exception -
                           offsetof(struct co_cold, unwinding.exception));

    (void)reason;
    cold->unwindings--;
}

/* As the root frame does at its end. */
MOAT_NORETURN static MOAT_NO_SANITIZE void leave(struct co *co)
{
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, true);
    co->activation.co.flags |= CO_SPECIAL;
    co->activation.co.state = MOAT_MARK_DONE;
    moat_arch_leave(handle_of(co), NULL, MOAT_EVENT_RETURN | MOAT_SWITCH_SLOW);
}

/* Frames without unwind information end a walk before the root: what lies above
 * them is dropped. */
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
                                _Unwind_Exception_Class exception_class,
                                struct _Unwind_Exception *exception,
                                struct _Unwind_Context *context, void *co)
{
    (void)version;
    (void)exception_class;
    (void)exception;
    if ((actions & _UA_END_OF_STACK) ||
        _Unwind_GetIP(context) == (uintptr_t)moat_root_return)
        leave(co);
    return _URC_NO_REASON;
}

/*
 * One exception object for all unwindings of a coroutine: if cleanup code
 * yields and is cancelled in turn, the second unwinding takes the place of the
 * first; if the second is caught, the first goes on, and both have the same
 * stop function and coroutine.
 */
void moat_co_unwind(moat_co *self)
{
    struct co *co = co_of(self);
    struct co_cold *cold;

    /* A bug of the caller's: there is no way back, and nothing to unwind. */
    if (self == NULL || moat_trap_current() != &co->activation)
        abort();
    cold = cold_of(co);
    memset(&cold->unwinding, 0, sizeof cold->unwinding);
    cold->unwinding.exception.exception_class = EXCEPTION_CLASS;
    cold->unwinding.exception.exception_cleanup = caught;
    cold->unwindings++;
    moat_annotate_unwind();
    (void)_Unwind_ForcedUnwind(&cold->unwinding.exception, stop, co);
    /* It cannot read the frames at all. */
    leave(co);
}

/* --- the canceller's side ------------------------------------------------ */

static moat_status end_fresh(struct co *co, struct moat_switched *back)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    co->activation.co.flags |= CO_SPECIAL;
    co->activation.co.state = MOAT_MARK_DONE;
    back->value = NULL;
    back->kind = MOAT_EVENT_RETURN;
    back->co = handle_of(co);
    return MOAT_OK;
}

/* Its cleanup code may not hand its place to another: the canceller waits for
 * this one. */
static moat_status unwind(struct co *co, struct moat_switched *back)
{
    moat_status status;

    co->activation.co.flags |= CO_CANCELLED;
    status = moat_resume_run(co, NULL, MOAT_COMMAND_UNWIND, back);
    co->activation.co.flags &= (uint16_t)~CO_CANCELLED;
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
    if (moat_arch_is_fresh(handle))
        status = end_fresh(co, &back);
    else
        status = unwind(co, &back);
    if (status != MOAT_OK)
        return status;
    if (back.kind == MOAT_EVENT_TRAP)
        MOAT_NOTE_RESUMER(co);
    /* "throw;" counts the unwinding that it sends on, and nobody discounts it.
     */
    if (back.kind == MOAT_EVENT_RETURN)
        moat_exceptions_set_uncaught(uncaught);
    return moat_resume_finish(&back, out);
}

void moat_cancel_for_destroy(struct co *co)
{
    moat_co *handle = handle_of(co);
    moat_event event;

    /* Another thread's frames are no longer whole: their thread's storage is
     * gone. A fresh one has none. */
    if (moat_co_get_state(handle) != MOAT_CO_SUSPENDED ||
        moat_co_check_owner(co) != MOAT_OK)
        return;
    if (moat_co_cancel(handle, &event) == MOAT_OK &&
        event.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(event.value);
}
