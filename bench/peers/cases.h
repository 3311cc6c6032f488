/*
 * cases.h: the measured loops, written once for all peers.
 *
 * A peer's adapter includes this header at its end, so that its operations are
 * inlined into the loops: no loop calls through a pointer. The header compiles
 * as C and as C++.
 *
 * The adapter first defines
 *
 *   struct task        one coroutine
 *   struct task *make_task(void *(*guest)(struct task *, void *))
 *   void *resume(struct task *, void *input)    until the next yield
 *   void *yield(struct task *, void *value)
 *   void *transfer(struct task *from, struct task *to, void *value)
 *   void drop_task(struct task *)
 *                      each stops the program on an error
 *   PEER               the name of its struct bench_peer
 *   PEER_NAME, PEER_SHARE, PEER_THREADED, PEER_MAX_SET
 *                      the values of the struct's members
 *
 * and, if the default does not suit the peer,
 *
 *   PEER_RESUME_LAST   a resume after which the guest has returned
 *   PEER_RING          a loop of transfers, instead of one by transfer();
 *                      NULL: the peer has no transfers
 *   PEER_LIFE          uintptr_t life(uintptr_t input, char *stack): creates,
 *                      runs and destroys a coroutine that returns input + 1
 *   PEER_LIFE_STACK    1: PEER_LIFE uses `stack`; otherwise it is NULL
 *   PEER_NEW_LIVES     a loop of lives on new stacks; NULL: the peer has none
 *   PEER_HOSTED_LIVES  a loop of lives with options
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PEERS_CASES_H
#define BENCH_PEERS_CASES_H

#include <stdint.h>
#include <stdlib.h>

#include "bench/peers.h"
#include "bench/peers/stacks.h"

#ifndef PEER_RESUME_LAST
#    define PEER_RESUME_LAST resume
#endif

/* ---- Round trips ---- */

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

    /* Keeps the yield from becoming a tail call. */
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

/* The tree is implicit: a node's key is its number in the walk. */
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

/* ---- Transfers ---- */

#ifndef PEER_RING
#    define PEER_RING run_ring

static struct task *ring[2];
static size_t ring_left; /* even at first: the last transfer is to the task
                            that the host has resumed */
static uint64_t ring_sum;

static void *ring_guest(struct task *self, void *input)
{
    struct task *other = ring[self == ring[0]];

    while (ring_left > 0) {
        ring_left--;
        ring_sum += (uintptr_t)input;
        input = transfer(self, other, (void *)((uintptr_t)input + 1));
    }
    return yield(self, input);
}

static uint64_t run_ring(size_t count)
{
    ring[0] = make_task(ring_guest);
    ring[1] = make_task(ring_guest);
    ring_left = count;
    ring_sum = 0;
    resume(ring[0], NULL);
    drop_task(ring[1]);
    drop_task(ring[0]);
    return ring_sum;
}
#endif

/* ---- Lives ---- */

#ifndef PEER_LIFE_STACK
#    define PEER_LIFE_STACK 0
#endif

#ifndef PEER_LIFE
#    define PEER_LIFE run_life

static void *life_guest(struct task *self, void *input)
{
    (void)self;
    return (void *)((uintptr_t)input + 1);
}

static inline uintptr_t run_life(uintptr_t input, char *stack)
{
    struct task *task = make_task(life_guest);
    void *result = PEER_RESUME_LAST(task, (void *)input);

    (void)stack;
    drop_task(task);
    return (uintptr_t)result;
}
#endif

static inline uint64_t run_lives_from(size_t first, size_t count)
{
    char *stack = PEER_LIFE_STACK ? task_stack_map() : NULL;
    uint64_t sum = 0;

    for (size_t i = first; i < first + count; i++)
        sum += PEER_LIFE(i, stack);
    if (PEER_LIFE_STACK)
        task_stack_unmap(stack);
    return sum;
}

static uint64_t run_lives(size_t count)
{
    return run_lives_from(0, count);
}

#ifndef PEER_NEW_LIVES
#    define PEER_NEW_LIVES run_new_lives

static uint64_t run_new_lives(size_t count)
{
    uint64_t sum = 0;

    task_stacks_unmap_spares();
    task_stacks_reused = false;
    for (size_t i = 0; i < count; i++)
        sum += run_lives_from(i, 1);
    task_stacks_reused = true;
    return sum;
}
#endif

#ifndef PEER_HOSTED_LIVES
#    define PEER_HOSTED_LIVES run_lives
#endif

/* ---- Sets ---- */

#define CACHE_LINE   ((size_t)64)
#define SERVED_BYTES ((size_t)32 * 1024)

static struct task **tasks;
static size_t task_count;

/* Writes to its stack, and reads it back. */
static void *touching_guest(struct task *self, void *input)
{
    volatile uintptr_t word;

    for (;;) {
        word = (uintptr_t)input;
        input = yield(self, (void *)(word + 1));
    }
    return NULL;
}

static void open_set(size_t count, bool guarded)
{
    task_stacks_guarded = guarded;
    tasks = (struct task **)malloc(count * sizeof(*tasks));
    if (tasks == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        tasks[i] = make_task(touching_guest);
        resume(tasks[i], NULL);
    }
    task_count = count;
}

static uint64_t run_round_robin(size_t rounds)
{
    uint64_t sum = 0;

    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < task_count; i++)
            sum += (uintptr_t)resume(tasks[i], (void *)(uintptr_t)i);
    return sum;
}

static uint64_t run_in_order(const uint32_t *order)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < task_count; i++)
        sum += (uintptr_t)resume(tasks[order[i]], (void *)(uintptr_t)i);
    return sum;
}

static void close_set(void)
{
    for (size_t i = task_count; i > 0; i--)
        drop_task(tasks[i - 1]);
    free(tasks);
    task_stacks_unmap_spares();
    task_stacks_guarded = true;
}

__attribute__((noinline)) static uintptr_t work(uintptr_t value)
{
    volatile char frame[SERVED_BYTES];

    for (size_t i = 0; i < SERVED_BYTES; i += CACHE_LINE)
        frame[i] = (char)value;
    return value + (uintptr_t)(frame[0] != (char)value);
}

static void *serving_guest(struct task *self, void *input)
{
    return (void *)work((uintptr_t)yield(self, input));
}

static uint64_t serve(size_t requests, size_t active)
{
    struct task **waiting = (struct task **)calloc(active, sizeof(*waiting));
    uint64_t sum = 0;

    if (waiting == NULL)
        abort();
    for (size_t i = 0; i < requests + active; i++) {
        struct task **slot = &waiting[i % active];

        if (*slot != NULL) {
            sum += (uintptr_t)PEER_RESUME_LAST(*slot, (void *)(uintptr_t)i);
            drop_task(*slot);
            *slot = NULL;
        }
        if (i < requests) {
            *slot = make_task(serving_guest);
            resume(*slot, (void *)(uintptr_t)i);
        }
    }
    free(waiting);
    task_stacks_unmap_spares();
    return sum;
}

const struct bench_peer PEER = {
    PEER_NAME,
    PEER_SHARE,
    PEER_THREADED,
    {run_flat, run_accumulate, run_one_down, run_tree, run_sites, PEER_RING,
     run_lives, PEER_NEW_LIVES, PEER_HOSTED_LIVES},
    {PEER_MAX_SET, open_set, run_round_robin, run_in_order, close_set, serve},
    task_stacks_unmap_spares};

#endif
