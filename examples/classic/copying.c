/*
 * copying.c: coroutines whose frames are copied away and back.
 *
 * All run on the thread's own stack, at the same addresses. To suspend one is
 * to copy its frames, from where it stands up to a fixed base, to the heap; to
 * resume one is to copy them back and longjmp. A sleeper costs just the bytes
 * that it uses, so a million fit where a million stacks do not.
 *
 * What is hard:
 *
 *   - The code that copies back must not stand where it copies to. It first
 *     takes as much of the stack as the frames will need.
 *   - A pointer to a local of a sleeper points into the one that runs now.
 *   - The registers: setjmp mangles some of them, so a collector that looks
 *     for pointers in the copy does not see these.
 *   - The cost grows with the depth, at each switch.
 *
 * Shows: two that alternate, and a pointer to a local of a sleeper.
 * Run: build/debug/examples/copying
 * Prints: expected/classic_copying.txt
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
    void (*run)(struct task *);
    jmp_buf at;       /* where it waits                        */
    char *low;        /* the lowest address of its frames      */
    char *copy;       /* of the frames; NULL: it has not begun */
    size_t bytes;     /* of the copy                           */
    volatile int box; /* for messages                          */
    volatile int *volatile where;
    int done;
};

static char *base; /* the end of all frames of tasks */
static jmp_buf host;

/* --- suspend -------------------------------------------------------------- */

__attribute__((noinline)) static void save(struct task *task)
{
    task->low = __builtin_frame_address(0);
    task->bytes = (size_t)(base - task->low);
    task->copy = realloc(task->copy, task->bytes);
    if (task->copy == NULL)
        abort();
    memcpy(task->copy, task->low, task->bytes);
}

/* The jump's registers are saved before the frames that they belong to. */
__attribute__((noinline)) static void suspend(struct task *task)
{
    if (setjmp(task->at) != 0)
        return;
    save(task);
    longjmp(host, 1);
}

/* --- resume --------------------------------------------------------------- */

/* Its frame lies below those that it writes. */
__attribute__((noinline)) static void replace(struct task *task)
{
    memcpy(task->low, task->copy, task->bytes);
    longjmp(task->at, 1);
}

/* Takes so much of the stack that the next call is below the task's frames. */
__attribute__((noinline)) static void restore(struct task *task)
{
    char *here = __builtin_frame_address(0);
    size_t bytes = here > task->low ? (size_t)(here - task->low) : 0;
    volatile char *room = __builtin_alloca(bytes + 1024);

    room[0] = 0;
    replace(task);
    room[0] = 1;
}

__attribute__((noinline)) static void start(struct task *task)
{
    base = __builtin_frame_address(0);
    task->run(task);
    task->done = 1;
    longjmp(host, 1);
}

/* noinline: every task begins at the same address. */
__attribute__((noinline)) static void resume(struct task *task)
{
    if (setjmp(host) != 0)
        return;
    if (task->copy == NULL)
        start(task);
    else
        restore(task);
}

/* --- tasks ---------------------------------------------------------------- */

static void count(struct task *task)
{
    for (volatile int i = 1; i <= 2; i++) {
        printf("%d ", i);
        suspend(task);
    }
}

static void spell(struct task *task)
{
    for (volatile char letter = 'a'; letter <= 'b'; letter++) {
        printf("%c ", letter);
        suspend(task);
    }
}

/* Waits for an answer in a local, which is wrong, and in the heap. */
static void ask(struct task *task)
{
    volatile int local = 0;

    task->where = &local;
    suspend(task);
    printf("the local has %d, the box has %d\n", local, task->box);
}

static void run(struct task *one, struct task *other)
{
    while (!one->done || !other->done) {
        if (!one->done)
            resume(one);
        if (!other->done)
            resume(other);
    }
}

int main(void)
{
    static struct task one = {.run = count}, other = {.run = spell};
    static struct task asks = {.run = ask};

    run(&one, &other);
    printf("\n");
    resume(&asks);
    *asks.where = 42; /* writes to a frame that is not there */
    asks.box = 42;
    resume(&asks);
    free(one.copy);
    free(other.copy);
    free(asks.copy);
    return 0;
}
