/*
 * ucontext.c: coroutines from makecontext, and its arguments.
 *
 * getcontext, makecontext and swapcontext give a function a stack and switch to
 * it. POSIX had them until 2008. They were taken out because makecontext calls
 * a function declared without parameters with a number of ints: a pointer of 64
 * bits is not an int. Programs that pass one all the same lose its upper half
 * where ints have 32 bits in the argument list. (glibc passes whole registers
 * on x86-64 and it happens to work; musl has no makecontext.) The portable way
 * is to pass the halves, and put them together.
 *
 * swapcontext also keeps the signal mask, with a system call at each switch: it
 * costs some hundred times what the switch itself does.
 *
 * Shows: a pointer as one int, and as two. The first runs in a coroutine of
 * moat's, which traps.
 * Run: build/debug/examples/ucontext
 * Prints: expected/classic_ucontext.txt
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* for MAP_FIXED_NOREPLACE */

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <moat/moat.h>

#define STACK_BYTES ((size_t)64 * 1024)

/* Its lower half is 0. */
#define FAR_AWAY ((uintptr_t)1 << 40)

struct job {
    ucontext_t own, host;
    int turns;
};

static _Alignas(16) char stack[STACK_BYTES];

/* --- the function on the other stack -------------------------------------- */

static void work(struct job *job)
{
    for (; job->turns < 3; job->turns++)
        (void)swapcontext(&job->own, &job->host);
}

static void takes_an_int(int lower)
{
    work((struct job *)(uintptr_t)(unsigned)lower);
}

static void takes_halves(int lower, int upper)
{
    uint64_t pointer = (uint64_t)(unsigned)upper << 32 | (unsigned)lower;

    work((struct job *)(uintptr_t)pointer);
}

/* --- the host ------------------------------------------------------------- */

static void prepare(struct job *job)
{
    job->turns = 0;
    (void)getcontext(&job->own);
    job->own.uc_stack.ss_sp = stack;
    job->own.uc_stack.ss_size = sizeof stack;
    job->own.uc_link = &job->host;
}

static int run(struct job *job)
{
    int switches = 0;

    do
        (void)swapcontext(&job->host, &job->own);
    while (++switches < 3);
    return switches;
}

/* makecontext takes the type of a function without parameters, whatever the
 * function has: that is how it was declared. */
typedef void (*any_function)(void);

static any_function as_any(void (*function)(int))
{
    any_function any;

    __builtin_memcpy(&any, &function, sizeof any);
    return any;
}

static void *with_an_int(moat_co *self, void *pointer)
{
    struct job *job = pointer;

    (void)self;
    prepare(job);
    makecontext(&job->own, as_any(takes_an_int), 1, (int)(uintptr_t)job);
    return (void *)(intptr_t)run(job);
}

static int with_halves(struct job *job)
{
    uint64_t pointer = (uintptr_t)job;
    void (*function)(int, int) = takes_halves;
    any_function any;

    __builtin_memcpy(&any, &function, sizeof any);
    prepare(job);
    makecontext(&job->own, any, 2, (int)(uint32_t)pointer,
                (int)(uint32_t)(pointer >> 32));
    return run(job);
}

int main(void)
{
    struct job *job =
        mmap((void *)FAR_AWAY, sizeof *job, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    if ((uintptr_t)job != FAR_AWAY ||
        moat_co_create(&co, with_an_int, NULL) != MOAT_OK ||
        moat_co_resume(co, job, &event) != MOAT_OK)
        return 1;
    if (moat_co_trap_info(co, &trap) == MOAT_OK)
        printf("as an int the pointer is lost: %s\n",
               moat_trap_kind_str(trap.kind));
    moat_co_destroy(co);
    printf("as two ints it arrives: %d switches\n", with_halves(job));
    return 0;
}
