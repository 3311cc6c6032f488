/*
 * altstack.h: one alternate signal stack per attached thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_ALTSTACK_H
#define MOAT_TRAP_ALTSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/engine.h>

#include "sys/memory.h"
#include "trap/copies.h"

/* Returns the size of an alternate stack, without its guard. */
size_t moat_altstack_bytes(void);

/* Returns whether a stack of that kind can be armed: MOAT_E_INVAL if there is
 * no such kind, MOAT_E_UNSUPPORTED if the kernel lacks it. */
moat_status moat_altstack_probe(moat_altstack_kind kind);

/* The kind of the stacks that threads attached from now on get. */
void moat_altstack_choose(moat_altstack_kind kind);

/* Gives this thread an alternate stack, guarded; takes it back, and restores
 * the former one if that still exists. On an error nothing has changed. */
moat_status moat_altstack_attach(void);
moat_status moat_altstack_detach(void);

/* The same for a thread that takes no signal any more: disarms nothing. */
void moat_altstack_free(void);

bool moat_altstack_attached(void); /* Signal-safe: yes. */

/* Returns where this thread's is, from before it is armed until after it is
 * disarmed; else an empty range. Signal-safe: yes. */
void moat_altstack_bounds(struct moat_pages *out);

/* What a thread knows of its alternate stack. */
struct moat_altstack_words {
    struct moat_signal_stack *own; /* NULL: not attached                     */
    struct moat_pages bounds;      /* of its memory; empty: none             */
    void *landing;                 /* the frame of the last landing          */
    uintptr_t returning;           /* a frame marked before its handler ends */
    bool is_disarmed, is_ours;     /* the stack, as the last landing found it */
    bool softened;                 /* armed without the SS_AUTODISARM it has */
};

/* Another thread of the crew runs from now on (switch/carrier.h), with the
 * words `in`. Stores those of the one before. */
void moat_altstack_replace(struct moat_altstack_words *before,
                           const struct moat_altstack_words *in);

/* Returns this thread's stack; NULL: it is not attached. Signal-safe: yes. */
struct moat_signal_stack *moat_altstack_own(void);

/* MOAT_E_HANDLER_LOST: the stack in place is neither ours nor that of another
 * copy of this library. Repair puts ours back. */
moat_status moat_altstack_check(void); /* Signal-safe: yes. */
moat_status moat_altstack_repair(void);

/* Returns whether the context interrupted a handler that runs on an alternate
 * stack, or may have. Signal-safe: yes. */
bool moat_altstack_in_use(const void *ucontext);

/* Returns whether a signal from outside may have interrupted one of moat's
 * handlers on its last instructions, when its frame no longer counts. They do
 * not fault, and a host's handler that interrupts them has a frame of its own.
 * Signal-safe: yes. */
bool moat_altstack_is_returning(const void *ucontext);

/* Returns whether an address lies in this thread's alternate stack, or another
 * copy's. Signal-safe: yes. */
bool moat_altstack_contains(uintptr_t address);

/* Returns whether the frames at an address are those of a handler that the next
 * signal would overwrite once the thread has left them for a guest's stack: the
 * kernel then begins at the top again. Signal-safe: yes. */
bool moat_altstack_is_reused(uintptr_t address);

/* Makes the kernel arm the alternate stack when the handler returns to a
 * landing, if it was disarmed. Signal-safe: yes. */
void moat_altstack_leave(void *ucontext);

/* The same for a landing without the kernel; false: it needs the kernel.
 * Signal-safe: yes. */
bool moat_altstack_rearm_for_landing(void);

/* A handler that the kernel called itself returns: its frame is dead.
 * `is_kernels` is MOAT_ARCH_CALLED_BY_KERNEL. Signal-safe: yes. */
void moat_altstack_return(void *ucontext, bool is_kernels);

/* With MOAT_ALTSTACK_AUTODISARM: arms the stack for a handler of the host's,
 * which may never return. Signal-safe: yes. */
void moat_altstack_rearm(void);

/* Must be called in ordinary context after a landing: the handler's frame is
 * dead, and no handler of the host's runs any more. */
void moat_altstack_settle(void);

#endif
