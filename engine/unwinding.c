/*
 * unwinding.c: the guest's side of a cancel: its cleanup code runs, frame by
 * frame, on its own stack.
 *
 * A forced unwind, as pthread_exit does it (Itanium C++ ABI, Exception
 * Handling, 1.6.3). It starts inside the yield in which the guest waits, so
 * that the unwinder sees nothing unusual; its stop function leaves for the
 * canceller when it has reached the root frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/unwinding.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* "MOATcncl": of no language's runtime, so catch clauses by type pass it by. */
#define EXCEPTION_CLASS UINT64_C(0x4d4f4154636e636c)

unsigned moat_unwindings(const struct co *co)
{
    return cold_of(co)->unwindings;
}

/* A catch clause has ended without rethrowing. */
static void caught(_Unwind_Reason_Code reason,
                   struct _Unwind_Exception *exception)
{
    struct co_cold *cold =
        (struct co_cold *)((uintptr_t)exception -
                           offsetof(struct co_cold, unwinding.exception));

    (void)reason;
    cold->unwindings--;
}

/* Leaves for the resumer as the root frame does at its end. */
MOAT_NORETURN static MOAT_NO_SANITIZE void leave(struct co *co)
{
    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, true);
    co->control.flags |= CO_SPECIAL;
    co->control.state = MOAT_MARK_DONE;
    moat_switch_leave(handle_of(co), NULL,
                      MOAT_EVENT_RETURN | MOAT_SWITCH_SLOW);
}

/* The unwinder calls it before each frame. At a frame without unwind
 * information the walk ends early: the frames above are dropped. */
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
                                _Unwind_Exception_Class exception_class,
                                struct _Unwind_Exception *exception,
                                struct _Unwind_Context *context, void *co)
{
    (void)version;
    (void)exception_class;
    (void)exception;
    if ((actions & _UA_END_OF_STACK) || MOAT_ARCH_IS_ROOT(context))
        leave(co);
    return _URC_NO_REASON;
}

/*
 * All unwindings of a coroutine share one exception object. If cleanup code
 * yields and is cancelled in turn, the second unwinding replaces the first; if
 * the second is caught, the first continues, with the same stop function and
 * the same coroutine.
 */
void moat_co_unwind(moat_co *self)
{
    struct co *co = co_of(self);
    struct co_cold *cold;

    /* A bug of the caller's: there is nothing to unwind, and nowhere to go. */
    if (self == NULL || moat_running() != co)
        abort();
    cold = cold_of(co);
    memset(&cold->unwinding, 0, sizeof cold->unwinding);
    cold->unwinding.exception.exception_class = EXCEPTION_CLASS;
    cold->unwinding.exception.exception_cleanup = caught;
    cold->unwindings++;
    moat_annotate_unwind();
    (void)_Unwind_ForcedUnwind(&cold->unwinding.exception, stop, co);
    /* The unwinder could not read the frames at all. */
    leave(co);
}
