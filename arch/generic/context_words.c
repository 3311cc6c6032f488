/*
 * context_words.c: where a context holds the stack pointer and the pc.
 *
 * POSIX lets a handler read the interrupted registers as a ucontext_t, which is
 * also what getcontext fills in and makecontext changes, but leaves its layout
 * to the system. So two contexts with known registers are made, and looked
 * through.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "arch/generic/port.h"

size_t moat_generic_pc_at, moat_generic_sp_at;

#define WORD          sizeof(uintptr_t)
#define STACK_BYTES   ((size_t)4096)
#define FRAME_REACH   ((uintptr_t)8192)
#define MACHINE_BEGIN offsetof(ucontext_t, uc_mcontext)
#define MACHINE_END   (MACHINE_BEGIN + sizeof(mcontext_t))

static uintptr_t word_of(const ucontext_t *context, size_t at)
{
    uintptr_t word;

    memcpy(&word, (const char *)context + at, sizeof word);
    return word;
}

static void never_called(void)
{
    __builtin_trap();
}

/* The function's address begins there, whatever a register keeps of a caller.
 * Several words may hold it: then the pc stays unknown. */
static size_t find_pc(const ucontext_t *made, const ucontext_t *got)
{
    size_t found = 0;

    for (size_t at = MACHINE_BEGIN; at + WORD <= MACHINE_END; at += WORD) {
        if (word_of(made, at) != (uintptr_t)never_called ||
            word_of(got, at) == 0)
            continue;
        if (found != 0)
            return 0;
        found = at;
    }
    return found;
}

/* Stacks grow down: of the words that lead into the new stack, the stack
 * pointer is the lowest. */
static size_t find_sp(const ucontext_t *made, const char *stack)
{
    uintptr_t lowest = UINTPTR_MAX;
    size_t found = 0;

    for (size_t at = MACHINE_BEGIN; at + WORD <= MACHINE_END; at += WORD) {
        uintptr_t word = word_of(made, at);

        if (word - (uintptr_t)stack > STACK_BYTES || word >= lowest)
            continue;
        lowest = word;
        found = at;
    }
    return found;
}

/* Returns whether the word is that of a register which led to this stack, as
 * the stack pointer did. */
static bool is_of_stack(const ucontext_t *got, size_t at, uintptr_t frame)
{
    return at != 0 && frame - word_of(got, at) + FRAME_REACH < 2 * FRAME_REACH;
}

/* Caller holds the engine's lock. */
bool moat_arch_prepare(void)
{
    static ucontext_t got, made;
    static char stack[STACK_BYTES] __attribute__((aligned(64)));
    size_t sp_at;

    if (moat_generic_sp_at != 0)
        return true;
    if (getcontext(&got) != 0 || getcontext(&made) != 0)
        return false;
    made.uc_stack.ss_sp = stack;
    made.uc_stack.ss_size = sizeof stack;
    made.uc_link = NULL;
    makecontext(&made, never_called, 0);
    sp_at = find_sp(&made, stack);
    if (!is_of_stack(&got, sp_at, (uintptr_t)__builtin_frame_address(0)))
        return false;
    moat_generic_pc_at = find_pc(&made, &got);
    moat_generic_sp_at = sp_at;
    return true;
}
