/*
 * frames.c: the frames that the kernel pushes when it delivers signals.
 *
 * A frame can be recognised: the kernel stores the alternate stack that was
 * armed into each one, and zero into uc_link, which it never reads again. A
 * frame whose handler has ended stays in memory as it was. So the owner of a
 * handler that ends marks the frame in uc_link; frames of other handlers are
 * not marked, and such a frame may be live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/frames.h"

#include <ucontext.h>

#include "arch/arch.h"
#include "stack/annotate.h"

/* "moat.end": part of the protocol of copies.h. */
#define DEAD ((ucontext_t *)UINT64_C(0x646e652e74616f6d))

#define STEP ((uintptr_t)MOAT_ARCH_CONTEXT_ALIGN)

static uintptr_t first_context(uintptr_t from)
{
    return (from + STEP - 1) & ~(STEP - 1);
}

void moat_frames_mark_dead(void *ucontext)
{
    ((ucontext_t *)ucontext)->uc_link = DEAD;
}

static MOAT_NO_SANITIZE bool is_live(const ucontext_t *uc, const stack_t *armed)
{
    return uc->uc_stack.ss_sp == armed->ss_sp &&
           uc->uc_stack.ss_size == armed->ss_size && uc->uc_link == NULL;
}

MOAT_NO_SANITIZE bool moat_frames_may_live(const stack_t *stack, uintptr_t sp)
{
    uintptr_t end = (uintptr_t)stack->ss_sp + stack->ss_size;
    uintptr_t at = first_context(sp);

    for (; at < end && end - at >= MOAT_ARCH_FRAME_BYTES; at += STEP) {
        if (is_live((const ucontext_t *)at, stack))
            return true;
    }
    return false;
}
