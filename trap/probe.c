/*
 * probe.c: calls that survive a fault, on any stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "arch/arch.h"
#include "stack/annotate.h"
#include "sys/seal.h"
#include "trap/altstack.h"
#include "trap/coroutine.h"
#include "trap/probe.h"
#include "trap/stack_owner.h"

__thread struct moat_probe *moat_probe
    __attribute__((tls_model("initial-exec")));

/* How much of the host's stack the frames may take that a fault dropped. */
#define DROPPED_BYTES ((uintptr_t)256 << 10)

/* The redzones of dropped frames would be reported in the frames that come
 * after them. */
void moat_probe_note_dropped(void)
{
    const struct co *co = moat_running();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    uintptr_t limit, base;

    if (co == NULL || !moat_stack_find(co, sp, &limit, &base))
        limit = sp - DROPPED_BYTES;
    moat_annotate_dropped(limit, sp);
}

/* No other code may run on the thread meanwhile: a fault in a handler of the
 * host's that interrupted fn could be taken for one of fn's. */
bool moat_trap_try(void (*fn)(void *), void *arg)
{
    struct moat_probe *outer = moat_probe;
    struct moat_probe probe;
    uint64_t kind;

    memset(&probe, 0, sizeof probe);
    moat_seal_on_any_stack();
    moat_probe = &probe;
    kind = moat_arch_try(&probe.landing, fn, arg);
    moat_probe = outer;
    moat_unseal();
    moat_altstack_settle();
    if (kind != 0)
        moat_probe_note_dropped();
    return kind == 0;
}
