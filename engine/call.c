/*
 * call.c: a service of the host, run on the resumer's stack.
 *
 * A guest's stack may be too small for the host's code, and a guest may be cut
 * in the middle of it. While the call lasts the thread is, for the trap layer,
 * where its stack is: in the resumer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

static __thread struct moat_visit *visits
    __attribute__((tls_model("initial-exec")));

const struct moat_visit *moat_call_visits(void)
{
    return visits;
}

/* Runs on the resumer's stack. */
static MOAT_NO_SANITIZE void *run(void *arg)
{
    struct moat_visit *visit = arg;
    struct co *co = co_of(visit->co);
    const struct moat_slot *slot = &co->activation.slot;
    void *result;

    if (!moat_annotate_active())
        return visit->fn(visit->arg);
    moat_annotate_back(&cold_of(co)->fiber);
    result = visit->fn(visit->arg);
    moat_annotate_enter(&cold_of(co)->fiber, slot->limit, slot->base);
    return result;
}

/* In the resumer: nothing may cut it, for the guest stands in its middle. */
static MOAT_NO_SANITIZE void *call(struct moat_visit *visit)
{
    moat_co *self = visit->co;
    uintptr_t ours = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    void *result;

    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co_of(self))->fiber, false);
    MOAT_TLS_WRITE_CURRENT(self->resumer);
    moat_notrap_enter();
    result = moat_arch_call_on_resumer(self, run, visit);
    moat_notrap_enter_undo();
    MOAT_TLS_WRITE_CURRENT(ours);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co_of(self))->fiber);
    return result;
}

void *moat_call_on_parent(moat_co *self, void *(*fn)(void *), void *arg)
{
    struct moat_visit visit = {visits, self, fn, arg};
    void *result;

    if (self == NULL || fn == NULL || self != moat_co_current())
        return NULL;
    /* From the moment that the resumer is the current one, an overflow of this
     * stack would be the host's. Sanitizers take more of it. */
    moat_hold_require(moat_annotate_active() ? MOAT_HOLD_BYTES
                                             : MOAT_HOLD_CALL_BYTES);
    moat_hold_enter();
    visits = &visit;
    result = call(&visit);
    visits = visit.outer;
    moat_hold_end();
    return result;
}
