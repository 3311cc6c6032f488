/*
 * blame.c: host code that runs for a guest, and the guest that answers for its
 * faults.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/blame.h"

#include <stdatomic.h>

#include "trap/altstack.h"
#include "trap/host_handler.h"
#include "trap/stack_owner.h"

__thread struct moat_blame *volatile moat_blame
    __attribute__((tls_model("initial-exec")));

/* How far below `top` the frames may lie on a stack whose bounds are not known:
 * that of a fiber of the host's. */
#define REACH_BYTES ((uintptr_t)256 << 10)

static bool is_in_frames(const struct moat_blame *blame, uintptr_t sp)
{
    /* A leaf function's is where its return address lies. */
    if (sp > blame->top)
        return false;
    if (moat_stack_is_same(blame->top, blame->top))
        return moat_stack_is_same(blame->top, sp);
    return blame->top - sp < REACH_BYTES;
}

/* A handler of the host's that has interrupted the code on the same stack is
 * the host's. */
struct moat_blame *moat_blame_find(const void *ucontext)
{
    struct moat_blame *blame = moat_blame;
    uintptr_t sp = moat_arch_sp_from_context(ucontext);

    if (blame == NULL || moat_running() != NULL || !is_in_frames(blame, sp) ||
        moat_altstack_in_use(ucontext) ||
        moat_host_handler_runs(ucontext, blame->top))
        return NULL;
    return blame;
}

/* As if the code there were called by what the frames leave free. */
void moat_blame_aim(struct moat_blame *blame, const void *ucontext)
{
    uintptr_t sp = moat_arch_sp_from_context(ucontext) - MOAT_ARCH_RED_ZONE;

    moat_blame = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    blame->landing.resumer_sp = MOAT_ARCH_CALLED_SP(sp);
}
