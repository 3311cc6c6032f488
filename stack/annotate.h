/*
 * annotate.h: informs the sanitizers for addresses, threads and leaks, and
 * Valgrind, of stacks and switches. No other file knows of them.
 *
 * The sanitizers' fiber functions are weak symbols, so one build of the library
 * serves programs with and without them. With them every coroutine takes the
 * slow path of resume and yield, which calls the functions below; without them
 * the fast path calls none.
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

/* The sanitizers' state of a thread that resumed a coroutine. */
struct moat_fiber_resumer {
    void *fake_stack;   /* ASan: while the coroutine runs */
    const void *bottom; /* ASan: of its stack             */
    size_t bytes;
    void *tsan; /* TSan: its fiber                */
};

/* The sanitizers' state of a coroutine between two switches. */
struct moat_fiber {
    void *fake_stack; /* ASan: while it is suspended       */
    void *tsan;       /* TSan: its fiber                   */
    struct moat_fiber_resumer resumer;
    bool transferred; /* another coroutine switched to it  */
};

/* Returns whether a sanitizer is in this process, which does not change. */
bool moat_annotate_active(void);

/* Returns whether the handler of a signal that was sent gets a copy of the
 * context, so that changing it has no effect. ThreadSanitizer delays such
 * signals and calls the handler later from a function of its own. Signal-safe:
 * yes. */
bool moat_annotate_copies_context(void);

/* Returns whether a switch has been announced to AddressSanitizer and has not
 * ended. If the guest were stopped now, the next switch would begin inside this
 * one. Signal-safe: yes. */
bool moat_annotate_switching(void);

/* Finds the frame of a fake stack, that of AddressSanitizer for a coroutine or
 * its resumer, to which `word` points; false: to none. Signal-safe: yes. */
bool moat_annotate_fake_frame(void *fake_stack, uintptr_t word,
                              uintptr_t *begin, uintptr_t *end);

/* Returns whether code of this process keeps a part of its frames on a second
 * stack of the thread (SafeStack), which a switch does not change. */
bool moat_annotate_second_stack(void);

/* Returns whether LeakSanitizer is in this process, which does not change. */
bool moat_annotate_finds_leaks(void);

/* Announces memory whose pointers keep allocations from being leaks. */
void moat_annotate_reachable(uintptr_t low, uintptr_t high);

/* Announces a new stack. Valgrind takes a switch to an unknown one for a huge
 * frame. It forgets the stack when the memory is unmapped. */
void moat_annotate_stack(uintptr_t limit, uintptr_t base);

/* Returns whether the process runs under Valgrind, which warns of system calls
 * that are newer than itself. This does not change. */
bool moat_annotate_emulated(void);

/* Announces that memory of a stack will be overwritten from outside: Valgrind
 * regards memory below a stack pointer as inaccessible. */
void moat_annotate_cleared(uintptr_t low, uintptr_t high);

/* Returns the distance that coroutine stacks must keep from others: 0 except
 * under Valgrind. */
size_t moat_annotate_margin(void);

/* Announces that a coroutine was created or reset, or that it ended. */
void moat_annotate_begin(struct moat_fiber *fiber);
void moat_annotate_end(struct moat_fiber *fiber, uintptr_t limit,
                       uintptr_t base);

/* The resumer's side: before it enters, and when it is back. */
void moat_annotate_enter(struct moat_fiber *fiber, uintptr_t limit,
                         uintptr_t base);
void moat_annotate_back(struct moat_fiber *fiber);

/* The guest's side: before frames are left by unwinding. */
void moat_annotate_unwind(void);

/* On any stack: after frames between `low` and `high` ended without a return.
 */
void moat_annotate_dropped(uintptr_t low, uintptr_t high);

/* The resumer's side when it is back and the guest did not announce it, as
 * after a trap. */
void moat_annotate_back_from_trap(struct moat_fiber *fiber);

/* The guest's side: when it has come in, and before it leaves. */
void moat_annotate_entered(struct moat_fiber *fiber);
void moat_annotate_leave(struct moat_fiber *fiber, bool for_good);

/* The guest's side: before it switches to `to`, whose stack is [limit, base).
 */
void moat_annotate_transfer(struct moat_fiber *from, struct moat_fiber *to,
                            uintptr_t limit, uintptr_t base);

#endif
