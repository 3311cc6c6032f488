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

/* Calls end in the order of their nesting, and whoever has one on its stack
 * resumes others but cannot yield: if it runs, its call is the innermost. */
uint32_t moat_call_sections(const struct moat_activation *activation)
{
    const struct moat_visit *visit = visits;

    return visit != NULL && (struct moat_activation *)moat_resumer_of(
                                visit->co) == activation
               ? visit->sections
               : 0;
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

/*
 * In the resumer: nothing may cut it, for the guest stands in its middle, and
 * no yield may leave it: bit 0 sends its yields to where they are refused. The
 * section is open before the resumer is current and until it is so no more.
 */
static MOAT_NO_SANITIZE void *call(struct moat_visit *visit)
{
    moat_co *self = visit->co;
    uintptr_t ours = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    struct moat_activation *resumer =
        (struct moat_activation *)moat_resumer_of(self);
    void *result;

    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co_of(self))->fiber, false);
    if (resumer != NULL) {
        visit->sections = ++resumer->notrap;
        moat_activation_note_sections(resumer);
    }
    MOAT_TLS_WRITE_CURRENT(resumer != NULL ? self->resumer | 1 : 0);
    result = moat_arch_call_on_resumer(self, run, visit);
    MOAT_TLS_WRITE_CURRENT(ours);
    if (resumer != NULL) {
        resumer->notrap = visit->sections - 1;
        moat_activation_note_sections(resumer);
    }
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co_of(self))->fiber);
    return result;
}

void *moat_call_on_parent(moat_co *self, void *(*fn)(void *), void *arg)
{
    struct moat_visit visit = {visits, self, fn, arg, 0};
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
