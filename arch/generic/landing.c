/*
 * landing.c: the ways out of a coroutine that are not a switch, and the way
 * there from a signal handler.
 *
 * No portable way makes a handler return elsewhere. So a redirection is noted,
 * and the handler, once it has done all that it has to, continues there itself:
 * setcontext, which also restores the mask of signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "arch/generic/port.h"
#include "arch/syscalls.h"

static __thread struct {
    const void *ucontext; /* NULL: none is redirected */
    const moat_co *co;
    uint64_t kind;
} redirected __attribute__((tls_model("initial-exec")));

/* Of a landing that is the entry of a function (moat_blame_aim). */
static void call_entry(void *co)
{
    moat_co *landing = co;

    ((void (*)(moat_co *))landing->resumer_pc)(landing);
}

/* A coroutine's resumer waits at a point; else a border stands for it, or the
 * record is a landing only. */
void moat_arch_leave(moat_co *co, void *value, uint64_t kind)
{
    struct moat_generic_try *back = co->point;

    if (co->resumer_point != NULL)
        moat_transfer_body(co, NULL, value, kind, NULL);
    if (co->border != NULL)
        ((struct moat_arch_border *)co->border)->reached(co, kind);
    if (co->resumer_pc != 0)
        (void)setcontext(moat_generic_context(co->resumer_sp, call_entry, co));
    back->kind = kind;
    (void)setcontext(&back->context);
    abort();
}

void moat_arch_redirect_context(void *ucontext, const moat_co *co,
                                uint64_t kind)
{
    redirected.co = co;
    redirected.kind = kind;
    atomic_signal_fence(memory_order_seq_cst);
    redirected.ucontext = ucontext;
}

bool moat_arch_can_land(const void *ucontext)
{
    return redirected.ucontext == ucontext;
}

void moat_arch_land(const void *ucontext)
{
    (void)ucontext;
    redirected.ucontext = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    moat_arch_leave((moat_co *)(uintptr_t)redirected.co, NULL, redirected.kind);
}

/* No port's code is returned to. */
bool moat_arch_is_led_away(const void *ucontext)
{
    return moat_arch_can_land(ucontext);
}
