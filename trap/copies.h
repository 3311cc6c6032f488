/*
 * copies.h: several copies of this library in one process, and what they tell
 * one another about a thread.
 *
 * Plugins may each contain a copy. A copy cannot name another's symbols, which
 * are hidden; but each finds the other's alternate stack, which the kernel
 * reports when the next one is armed. A description lies above the top of each
 * stack, begins with a word that no other memory has, and links the stacks of
 * one thread.
 *
 * The layout below is a protocol between versions: a copy that changes it, or
 * what its functions promise, must change MOAT_COPIES_MAGIC as well. It then
 * takes the others for strangers, and they it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_COPIES_H
#define MOAT_TRAP_COPIES_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "trap/coroutine.h"

/* "moat.stk", and the protocol's number. */
#define MOAT_COPIES_MAGIC   UINT64_C(0x6b74732e74616f6d)
#define MOAT_COPIES_VERSION UINT64_C(2)

/* Only its thread and handlers of that thread read and write it. */
struct moat_signal_stack {
    uint64_t magic, version;
    struct moat_signal_stack *self;          /* its own address              */
    struct moat_signal_stack *lower, *upper; /* other copies' on this thread */
    stack_t stack;                           /* as given to sigaltstack      */
    stack_t former;                          /* the one armed before         */
    /* Returns whether the owner runs a guest that was resumed from a stack
     * between the two addresses. Signal-safe. */
    bool (*runs_guest_of)(uintptr_t low, uintptr_t high);
    /* The frames between the two addresses were left for good, by a trap of
     * another copy: the owner's guests that were resumed from there never
     * continue. In ordinary context. */
    void (*left)(uintptr_t low, uintptr_t high);
    /* Offers a fault that the owner may expect: a load that may fail, a probe,
     * a fault region. Returns true if the context now continues. Signal-safe.
     */
    bool (*mend)(int signo, siginfo_t *info, void *ucontext);
    /* The handler `gone` of a signal ends with its copy. If it is the owner's
     * previous one, the owner calls `by` from now on, and returns true. In
     * ordinary context. */
    bool (*replace)(int signo, const struct sigaction *gone,
                    const struct sigaction *by);
    /* If `installed` is the owner's handler of a signal, which passes on what
     * is not the owner's, sets *next to what it passes it to. `next` may be
     * `installed`. */
    bool (*passes_to)(int signo, const struct sigaction *installed,
                      struct sigaction *next);
};

/* Fills in the description of `stack`, whose owner is this copy. */
void moat_copies_describe(struct moat_signal_stack *mine);

/* Links a stack of this thread with that which was armed before it, and with
 * all that the latter is linked with, if the latter is a copy's. Idempotent. */
void moat_copies_link(struct moat_signal_stack *mine);

/* Takes a stack off: what is above it no longer restores it. */
void moat_copies_unlink(struct moat_signal_stack *mine);

/* Returns the stack that contains an address, in the order of addresses that
 * the kernel uses (the top is inside); NULL: no copy's. Signal-safe: yes. */
struct moat_signal_stack *moat_copies_find(struct moat_signal_stack *mine,
                                           uintptr_t address);

/* Returns whether the context interrupted another copy's guest that was resumed
 * from the stack of `co`, as far as can be known: such a guest runs, and the
 * stack pointer is not in the stack of `co`. Signal-safe: yes. */
bool moat_copies_run_inside(const struct moat_signal_stack *mine,
                            const struct co *co, const void *ucontext);

/* Returns whether another copy runs a guest on this thread. */
bool moat_copies_run_guests(const struct moat_signal_stack *mine);

/* Offers a fault to the other copies' `mend`. Signal-safe: yes. */
bool moat_copies_mend(const struct moat_signal_stack *mine, int signo,
                      siginfo_t *info, void *ucontext);

/* Tells the other copies that a trap has left the frames between the two
 * addresses. */
void moat_copies_tell_left(const struct moat_signal_stack *mine, uintptr_t low,
                           uintptr_t high);

/* Asks the other copies which of them passes a signal on. */
bool moat_copies_pass(const struct moat_signal_stack *mine, int signo,
                      const struct sigaction *installed,
                      struct sigaction *next);

/* The functions behind `mend`, `left`, `replace` and `passes_to` of this copy.
 */
extern bool (*moat_copies_on_mend)(int signo, siginfo_t *info, void *ucontext);
extern void (*moat_copies_on_left)(uintptr_t low, uintptr_t high);
extern bool (*moat_copies_on_replace)(int signo, const struct sigaction *gone,
                                      const struct sigaction *by);
extern bool (*moat_copies_on_pass)(int signo, const struct sigaction *installed,
                                   struct sigaction *next);

/* Notes the copies that are linked with a stack, to be asked after it is gone;
 * NULL: forgets them. One thread, at shutdown. */
void moat_copies_note(const struct moat_signal_stack *mine);

/* Asks the noted copies to replace a handler. */
bool moat_copies_replace(int signo, const struct sigaction *gone,
                         const struct sigaction *by);

#endif
