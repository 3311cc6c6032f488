/*
 * fault_bare.c: the bare round trip of a fault through the kernel, with a
 * handler that only skips the instruction.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bench/bench.h"

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

#define HANDLER_STACK ((size_t)64 * 1024)

static struct sigaction old_action;
static _Thread_local uint64_t skipped;

static void skip_instruction(int signo, siginfo_t *info, void *context)
{
    ucontext_t *machine = context;

    (void)signo;
    (void)info;
    skipped++;
    machine->uc_mcontext.gregs[REG_RIP] += FAULT_BYTES;
}

/* Uses the flags of moat's own handler. */
void fault_bare_install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = skip_instruction;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    if (sigaction(SIGSEGV, &action, &old_action) != 0)
        bench_stop("sigaction");
}

void fault_bare_restore(void)
{
    if (sigaction(SIGSEGV, &old_action, NULL) != 0)
        bench_stop("sigaction");
}

/* Gives this thread a signal stack of the same kind as moat's handler has. */
static void begin(stack_t *old)
{
    stack_t stack;

    memset(&stack, 0, sizeof(stack));
    stack.ss_size = HANDLER_STACK;
    stack.ss_sp = malloc(HANDLER_STACK);
    if (stack.ss_sp == NULL || sigaltstack(&stack, old) != 0)
        bench_stop("sigaltstack");
    skipped = 0;
}

static uint64_t end(const stack_t *old)
{
    stack_t stack;

    if (sigaltstack(old, &stack) != 0)
        bench_stop("sigaltstack");
    free(stack.ss_sp);
    return skipped;
}

uint64_t fault_bare_null(size_t count)
{
    stack_t old;

    begin(&old);
    for (size_t i = 0; i < count; i++)
        store_at(0);
    return end(&old);
}

/* Guards the stack as moat does, if the kernel supports that. */
static char *map_stack(void)
{
    char *guard = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (guard == MAP_FAILED ||
        (madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) != 0 &&
         mprotect(guard, GUARD_BYTES, PROT_NONE) != 0))
        bench_stop("mmap");
    return guard;
}

uint64_t fault_bare_overflow(size_t count)
{
    char *guard = map_stack();
    uintptr_t limit = (uintptr_t)guard + GUARD_BYTES;
    uint64_t seen;
    stack_t old;

    begin(&old);
    for (size_t i = 0; i < count; i++)
        walk_down(limit + STACK_BYTES, limit);
    seen = end(&old);
    munmap(guard, GUARD_BYTES + STACK_BYTES);
    return seen;
}
