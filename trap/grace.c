/*
 * grace.c: how a writer knows that no handler still looks at what it withdrew.
 *
 * A handler that reads shared data is a visitor: it counts itself in before its
 * first read and out after its last. A writer first publishes the new data,
 * then waits until it has seen each of the two counters at zero. All accesses
 * are sequentially consistent: a visitor that read the old data counted itself
 * in before the new was published, so one of the two counters cannot have been
 * zero until it was out.
 *
 * Two counters, so that a writer gets through where there are always visitors:
 * it sends the new ones to one while it waits for the other to run dry.
 *
 * Visitors never wait. A thread is a visitor once at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <time.h>

#include "trap/internal.h"

static struct {
    _Alignas(64) atomic_uint turn; /* which counter newcomers take: 0 or 1 */
    _Alignas(64) atomic_uint visitors[2];
} grace;

bool moat_grace_enter(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    unsigned turn;

    if (thread->visiting != 0)
        return false;
    turn = atomic_load(&grace.turn);
    (void)atomic_fetch_add(&grace.visitors[turn], 1);
    thread->visiting = turn + 1;
    return true;
}

void moat_grace_leave(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    unsigned visiting = thread->visiting;

    if (visiting == 0)
        return;
    thread->visiting = 0;
    (void)atomic_fetch_sub(&grace.visitors[visiting - 1], 1);
}

bool moat_grace_visiting(void)
{
    return moat_trap_thread.visiting != 0;
}

static void nap(void)
{
    const struct timespec moment = {0, 20000};

    (void)nanosleep(&moment, NULL);
}

void moat_grace_wait(void)
{
    for (int i = 0; i < 2; i++) {
        unsigned turn = atomic_load(&grace.turn);

        atomic_store(&grace.turn, 1 - turn);
        while (atomic_load(&grace.visitors[turn]) != 0)
            nap();
    }
}

void moat_grace_after_fork(void)
{
    atomic_store(&grace.visitors[0], 0);
    atomic_store(&grace.visitors[1], 0);
    moat_trap_thread.visiting = 0;
}

void moat_source_wait(void)
{
    moat_grace_wait();
}
