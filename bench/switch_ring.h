/*
 * switch_ring.h: two coroutines that hand over to each other, written once for
 * the engines whose task has a hand_over(from, to, value).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SWITCH_RING_H
#define BENCH_SWITCH_RING_H

#include <stddef.h>
#include <stdint.h>

static struct task *ring[2];
static size_t ring_left; /* hand-overs to come; even at first, so that the one
                            that the host has resumed is the last to run */
static uint64_t ring_sum;

static void *ring_guest(struct task *self, void *input)
{
    struct task *other = ring[self == ring[0]];

    while (ring_left > 0) {
        ring_left--;
        ring_sum += (uintptr_t)input;
        input = hand_over(self, other, (void *)((uintptr_t)input + 1));
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
