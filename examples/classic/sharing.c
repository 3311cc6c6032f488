/*
 * sharing.c: one stack, apart from the thread's, that coroutines share.
 *
 * As in copying.c a coroutine has the stack while it runs, and a copy of its
 * frames waits in the heap while it does not. But the stack is a region of its
 * own, so the host need not get out of the way, and a coroutine that is resumed
 * again at once finds its frames where they were: nothing is copied.
 *
 * The question that is always asked is whether the region can be protected from
 * its neighbours. As a part of the heap, as here, it cannot: a coroutine that
 * goes too deep overwrites what lies below, and nothing notices. With a guard
 * below it, it can: the last part runs the same recursion in the same memory
 * under moat, which makes the lowest pages inaccessible (MOAT_STACK_CALLER).
 *
 * Shows: two that share, then an overflow with and without a guard.
 * Run: build/debug/examples/sharing
 * Prints: expected/classic_sharing.txt
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* for REG_RSP */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <moat/moat.h>

#define RED_ZONE ((size_t)128)

/* The region, and its neighbour below. */
static _Alignas(4096) struct {
    char below[256 * 1024];
    char stack[256 * 1024];
} memory;

struct task {
    ucontext_t context;
    char *copy;
    size_t bytes;
    int begun, done, from;
    void (*run)(void);
};

static ucontext_t host;
static struct task *running,
    *tenant; /* the tenant's frames are in the region */

static char *end_of_stack(void)
{
    return memory.stack + sizeof memory.stack;
}

/* --- moving --------------------------------------------------------------- */

static void move_out(struct task *task)
{
    uintptr_t sp = (uintptr_t)task->context.uc_mcontext.gregs[REG_RSP];
    char *low = (char *)(sp - RED_ZONE);

    task->bytes = (size_t)(end_of_stack() - low);
    task->copy = realloc(task->copy, task->bytes);
    if (task->copy == NULL)
        abort();
    memcpy(task->copy, low, task->bytes);
}

static void move_in(struct task *task)
{
    if (tenant == task)
        return;
    if (tenant != NULL && !tenant->done)
        move_out(tenant);
    if (task->begun)
        memcpy(end_of_stack() - task->bytes, task->copy, task->bytes);
    tenant = task;
}

/* --- switching ------------------------------------------------------------ */

static void first(void)
{
    running->run();
    running->done = 1;
}

static void begin(struct task *task)
{
    (void)getcontext(&task->context);
    task->context.uc_stack.ss_sp = memory.stack;
    task->context.uc_stack.ss_size = sizeof memory.stack;
    task->context.uc_link = &host;
    makecontext(&task->context, first, 0);
    task->begun = 1;
}

/* makecontext writes to the stack, so the former tenant leaves first. */
static void resume(struct task *task)
{
    move_in(task);
    if (!task->begun)
        begin(task);
    running = task;
    (void)swapcontext(&host, &task->context);
}

static void yield(void)
{
    (void)swapcontext(&running->context, &host);
}

/* --- tasks ---------------------------------------------------------------- */

static void count(void)
{
    for (int i = running->from; i < running->from + 3; i++) {
        printf("%d ", i);
        yield();
    }
}

/* Each call takes a kilobyte. */
__attribute__((noinline)) static int descend(int depth)
{
    volatile char frame[1024];

    frame[0] = frame[1023] = 1;
    return depth == 0 ? frame[0] : descend(depth - 1) + frame[1023];
}

static void go_too_deep(void)
{
    (void)descend(300);
}

static void *go_too_deep_in_moat(moat_co *self, void *input)
{
    (void)self;
    go_too_deep();
    return input;
}

static int is_overwritten(void)
{
    for (size_t i = 0; i < sizeof memory.below; i++) {
        if (memory.below[i] != 'n')
            return 1;
    }
    return 0;
}

static void overflow_without_a_guard(void)
{
    static struct task task = {.run = go_too_deep};

    memset(memory.below, 'n', sizeof memory.below);
    resume(&task);
    printf("without a guard the neighbour is %s\n",
           is_overwritten() ? "overwritten" : "as it was");
}

static void overflow_with_a_guard(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    memset(memory.below, 'n', sizeof memory.below);
    options.stack_kind = MOAT_STACK_CALLER;
    options.stack_memory = memory.stack;
    options.stack_bytes = sizeof memory.stack;
    options.guard_bytes = (size_t)16 * 1024;
    if (moat_co_create(&co, go_too_deep_in_moat, &options) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        return;
    printf("with a guard the neighbour is %s, and the guest has %s\n",
           is_overwritten() ? "overwritten" : "as it was",
           event.kind == MOAT_EVENT_TRAP ? "trapped" : "returned");
    moat_co_destroy(co);
}

int main(void)
{
    static struct task one = {.run = count, .from = 1};
    static struct task other = {.run = count, .from = 11};

    while (!one.done || !other.done) {
        if (!one.done)
            resume(&one);
        if (!other.done)
            resume(&other);
    }
    printf("\n");
    free(one.copy);
    free(other.copy);
    overflow_without_a_guard();
    overflow_with_a_guard();
    return 0;
}
