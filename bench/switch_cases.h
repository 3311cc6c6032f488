/*
 * switch_cases.h: the cases of bench/switch, written once for all engines.
 *
 * The file that includes it has defined
 *   struct task;                             one coroutine
 *   void *resume(struct task *, void *)      inline; stops the program on error
 *   void *yield(struct task *, void *)       inline
 *   struct task *make_task(void *(*)(struct task *, void *))
 *   void drop_task(struct task *)
 * and gets the five bodies of a struct bench_engine. It is read as C and as
 * C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SWITCH_CASES_H
#define BENCH_SWITCH_CASES_H

#include "bench/switch.h"

static void *echo_guest(struct task *self, void *input)
{
    for (;;)
        input = yield(self, input);
    return NULL;
}

static uint64_t run_flat(size_t count)
{
    struct task *task = make_task(echo_guest);

    for (size_t i = 0; i < count; i++)
        resume(task, NULL);
    drop_task(task);
    return count;
}

static uint64_t run_accumulate(size_t count)
{
    struct task *task = make_task(echo_guest);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)i);
    drop_task(task);
    return sum;
}

__attribute__((noinline)) static void *yield_below(struct task *self,
                                                   void *value)
{
    void *input = yield(self, value);

    /* Keeps the yield from being the function's tail. */
    __asm__ volatile("" : "+r"(input));
    return input;
}

static void *one_down_guest(struct task *self, void *input)
{
    for (;;)
        input = yield_below(self, input);
    return NULL;
}

static uint64_t run_one_down(size_t count)
{
    struct task *task = make_task(one_down_guest);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)i);
    drop_task(task);
    return sum;
}

/* An implicit tree: the key of a node is its number in the walk. */
__attribute__((noinline)) static uintptr_t
walk_tree(struct task *self, unsigned depth, uintptr_t key)
{
    if (depth == 0)
        return key;
    key = walk_tree(self, depth - 1, key);
    yield(self, (void *)key);
    return walk_tree(self, depth - 1, key + 1);
}

static void *tree_guest(struct task *self, void *input)
{
    (void)input;
    for (;;)
        walk_tree(self, TREE_DEPTH, 0);
    return NULL;
}

static uint64_t run_tree(size_t count)
{
    struct task *task = make_task(tree_guest);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (uintptr_t)resume(task, NULL);
    drop_task(task);
    return sum;
}

static uint64_t run_sites(size_t count)
{
    struct task *task = make_task(echo_guest);
    uint64_t sum = 0;

    for (size_t i = 0; i + 8 <= count; i += 8) {
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)i);
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 1));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 2));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 3));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 4));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 5));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 6));
        sum += (uintptr_t)resume(task, (void *)(uintptr_t)(i + 7));
    }
    drop_task(task);
    return sum;
}

/* And one of its own, or of switch_ring.h. */
#define SWITCH_BODIES(ring)                                               \
    {                                                                     \
        run_flat, run_accumulate, run_one_down, run_tree, run_sites, ring \
    }

#endif
