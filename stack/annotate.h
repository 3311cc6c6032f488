/*
 * annotate.h: tells AddressSanitizer, ThreadSanitizer and Valgrind which stack
 * the thread is on. The only place that knows of them.
 *
 * The sanitizers' fiber functions are found at run time (weak symbols), so one
 * build of the library serves programs with and without them: where they are
 * present every coroutine takes the slow path of resume and yield, which calls
 * what is declared here; where they are not, none of it is reached.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_ANNOTATE_H
#define MOAT_STACK_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For functions that run while the sanitizer still believes the thread to be on
 * another stack. */
#if defined(__clang__) || defined(__GNUC__)
#    define MOAT_NO_SANITIZE __attribute__((no_sanitize("address", "thread")))
#else
#    define MOAT_NO_SANITIZE
#endif

/* What the sanitizers want remembered of a coroutine between switches. */
struct moat_fiber {
    void *fake_stack;           /* ASan: of the coroutine, while suspended  */
    void *resumer_fake_stack;   /* ASan: of its resumer, while it runs      */
    const void *resumer_bottom; /* ASan: the resumer's stack                */
    size_t resumer_bytes;
    void *tsan;         /* TSan: the coroutine's fiber              */
    void *resumer_tsan; /* TSan: its resumer's                      */
    bool passed;        /* it goes on in another's place            */
};

/* Is a sanitizer in this process? Constant over its life. */
bool moat_annotate_active(void);

/* Does a handler of a signal that was sent get a copy of the context, whose
 * change has no effect? ThreadSanitizer holds such signals back, and calls the
 * handler later from a function of its own. Signal-safe: yes. */
bool moat_annotate_copies_context(void);

/* Is AddressSanitizer being told of a switch? A guest that is cut in between
 * would have the next switch begin inside this one. Signal-safe: yes. */
bool moat_annotate_switching(void);

/* A stack that came into being (Valgrind must know it, or it takes a switch for
 * a huge frame). Valgrind forgets it when the memory is unmapped. */
void moat_annotate_stack(uintptr_t limit, uintptr_t base);

/* Is this Valgrind, which warns of system calls that are newer than itself?
 * Constant over the process's life. */
bool moat_annotate_emulated(void);

/* A stack's memory that is about to be overwritten from outside: Valgrind has
 * it that nothing is below the stack pointer. */
void moat_annotate_cleared(uintptr_t low, uintptr_t high);

/* How far coroutine stacks must keep away from others; 0 but under Valgrind. */
size_t moat_annotate_margin(void);

/* A coroutine that was created or reset; one that ended. */
void moat_annotate_begin(struct moat_fiber *fiber);
void moat_annotate_end(struct moat_fiber *fiber, uintptr_t limit,
                       uintptr_t base);

/* The resumer's side: before it enters, and when it is back. */
void moat_annotate_enter(struct moat_fiber *fiber, uintptr_t limit,
                         uintptr_t base);
void moat_annotate_back(struct moat_fiber *fiber);

/* The guest's side: before frames are left by unwinding. */
void moat_annotate_unwind(void);

/* On any stack: after frames between `low` and `high` were left without a
 * return. */
void moat_annotate_dropped(uintptr_t low, uintptr_t high);

/* The resumer's side when it is back but the guest did not say so (a trap). */
void moat_annotate_back_from_trap(struct moat_fiber *fiber);

/* The guest's side: when it has come in, and before it leaves. */
void moat_annotate_entered(struct moat_fiber *fiber);
void moat_annotate_leave(struct moat_fiber *fiber, bool for_good);

/* The guest's side: before it hands its place to another, whose stack that is.
 */
void moat_annotate_pass(struct moat_fiber *from, struct moat_fiber *to,
                        uintptr_t limit, uintptr_t base);

#endif
