/*
 * injection.c: replaces malloc, calloc, realloc and free, counts a guest's
 * calls, and stops it in one of them. Beyond that the calls go to the next
 * allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#include "injection.h"

#include <alloca.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "corpus/progress.h"
#include "corpus/replaced.h"

/* X(name, the verdict on it): how a call ends. */
/* clang-format off */
#define FAULT_MAP(X)                                                           \
    X(FAULT_OVERFLOW, VERDICT_OVERFLOW) /* the stack ends before the call */   \
    X(FAULT_DEEP,     VERDICT_OVERFLOW) /* the stack ends in the call */       \
    X(FAULT_NULL,     VERDICT_WILD)                                            \
    X(FAULT_ILLEGAL,  VERDICT_ILLEGAL)                                         \
    X(FAULT_MISUSE,   VERDICT_ABORT)    /* a pointer that is not a block's */
/* clang-format on */

enum fault {
#define FAULT_ENUM(name, verdict) name,
    FAULT_MAP(FAULT_ENUM)
#undef FAULT_ENUM
        FAULTS
};

static const enum verdict verdicts[FAULTS] = {
#define FAULT_VERDICT(name, verdict) [name] = (verdict),
    FAULT_MAP(FAULT_VERDICT)
#undef FAULT_VERDICT
};

/* So little stack is left for a call in which it ends, in turn. */
#define LEAST_LEFT 96u
#define LEFT_STEP  48u
#define LEFT_STEPS 32u

static struct {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *pointer, size_t bytes);
    void (*free)(void *pointer);
} next;

static unsigned long calls;  /* of the guest, in this repetition        */
static unsigned long chosen; /* the number of the call; 0: none         */
static unsigned long total;  /* calls in a run without a fault          */
static enum fault fault;     /* what ends it                            */
static size_t left;          /* of the stack, for FAULT_DEEP            */
static enum verdict wanted;

/* ---- The faults -----------------------------------------------------------
 */

static int overflow(volatile char *above);

/* Through a pointer, for the compiler warns of what it knows. */
static int (*volatile deeper)(volatile char *) = overflow;

/* Not a tail call, and not optimised into a loop. */
static int overflow(volatile char *above)
{
    volatile char frame[256];

    frame[0] = above != NULL ? above[0] : 1;
    return deeper(frame) + frame[0];
}

/* Leaves little of the stack, and calls. If that suffices, it ends after the
 * call. */
__attribute__((noinline)) static void call_deep(void *pointer, size_t bytes)
{
    moat_stack_info stack;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    volatile char *taken;

    if (moat_stack_bounds(&stack) != MOAT_OK)
        abort();
    if (here > stack.limit + left) {
        taken = alloca(here - stack.limit - left);
        taken[0] = 1;
    }
    if (bytes != 0)
        (void)!next.realloc(pointer, bytes);
    else
        next.free(pointer);
    (void)overflow(NULL);
}

/* Stops the guest. `bytes` is 0 for free; `pointer` is NULL for malloc. */
static void stop(void *pointer, size_t bytes)
{
    enum fault how = fault;

    if (how == FAULT_MISUSE && pointer == NULL)
        how = FAULT_ILLEGAL;
    wanted = verdicts[how];
    switch (how) {
    case FAULT_OVERFLOW:
        (void)overflow(NULL);
        break;
    case FAULT_DEEP:
        call_deep(pointer, bytes);
        break;
    case FAULT_NULL:
        *(volatile int *)NULL = 1;
        break;
    case FAULT_MISUSE:
        if (bytes != 0)
            (void)!next.realloc((char *)pointer + 8, bytes);
        else
            next.free((char *)pointer + 8);
        break;
    default:
        break;
    }
    __builtin_trap();
}

/* ---- The allocator --------------------------------------------------------
 */

static void find(void)
{
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.free = dlsym(RTLD_NEXT, "free");
}

/* Counts the call, if it is the guest's, and may stop it. */
static void enter(void *pointer, size_t bytes)
{
    if (next.free == NULL)
        find();
    if (moat_co_current() != NULL && ++calls == chosen)
        stop(pointer, bytes);
}

void *replaced_malloc(size_t bytes)
{
    enter(NULL, bytes != 0 ? bytes : 1);
    return next.malloc(bytes);
}

void *replaced_calloc(size_t count, size_t bytes)
{
    enter(NULL, count < 4096 && bytes < 4096 ? count * bytes + 1 : 4096);
    return next.calloc(count, bytes);
}

void *replaced_realloc(void *pointer, size_t bytes)
{
    enter(pointer, bytes != 0 ? bytes : 1);
    return next.realloc(pointer, bytes);
}

void replaced_free(void *pointer)
{
    if (pointer == NULL)
        return;
    enter(pointer, 0);
    next.free(pointer);
}

/* ---- The repetitions ------------------------------------------------------
 */

/* The requested repetitions are rounds over all calls and faults. */
void injection_open(struct job *job, bool (*run)(void))
{
    calls = chosen = 0;
    if (!run())
        progress_give_up("its run without a fault fails", "");
    total = calls;
    if (total == 0)
        progress_give_up("it allocates nothing", "");
    job->repetitions *= (unsigned)total * FAULTS;
}

void injection_arm(const struct job *job)
{
    unsigned long number = job->done / FAULTS;

    fault = (enum fault)(job->done % FAULTS);
    left = LEAST_LEFT + number % LEFT_STEPS * LEFT_STEP;
    chosen = number % total + 1;
    wanted = VERDICT_RETURNED;
    calls = 0;
}

enum verdict injection_expected(const struct job *job)
{
    (void)job;
    return wanted;
}
