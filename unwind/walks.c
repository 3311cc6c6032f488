/*
 * walks.c: walks under way, counted, and a gate that a fork or a change of
 * libunwind's data closes.
 *
 * libunwind has a cache with a lock, and does not handle fork: a child that was
 * forked while another thread held the lock would wait for it for ever at its
 * first walk, with all signals blocked.
 *
 * This is no lock that readers share. A walk asks the dynamic linker for the
 * list of loaded files and may wait there, for a thread that has that list and
 * is about to walk, too. So while the gate is closing, until all walks that are
 * under way have ended, a new walk waits for a moment only and then goes
 * through. It waits without an end only while the gate is closed: for a fork,
 * or for a change of libunwind's list, neither of which asks the linker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/walks.h"

#include <stdbool.h>

#include "sys/seal.h"
#include "sys/word.h"

enum { OPEN, CLOSING, CLOSED };

/* Long enough that a fork gets through where threads walk without a pause. */
#define MOMENT_NS UINT64_C(20000000)

static atomic_uint gate;    /* written by one thread at a time */
static atomic_uint count;   /* of threads with walks under way */
static atomic_uint waiting; /* of threads, for the gate to change */

/* Of this thread: a signal handler that interrupted a walk may walk or fork,
 * and must not wait for the walk below it. */
static _Thread_local unsigned under_way
    __attribute__((tls_model("initial-exec")));

static void leave(void)
{
    (void)atomic_fetch_sub(&count, 1);
    if (atomic_load(&gate) != OPEN)
        moat_word_wake(&count);
}

/* A walk is counted before it looks at the gate, and the gate is closed before
 * the count is read: one of the two gives way. */
static unsigned enter(void)
{
    unsigned seen;

    (void)atomic_fetch_add(&count, 1);
    seen = atomic_load(&gate);
    if (seen != OPEN)
        leave();
    return seen;
}

static void wait_while(unsigned state, uint64_t ns)
{
    (void)atomic_fetch_add(&waiting, 1);
    moat_word_wait(&gate, state, ns);
    (void)atomic_fetch_sub(&waiting, 1);
}

static void enter_or_wait(void)
{
    unsigned seen = enter();

    if (seen == CLOSING)
        wait_while(CLOSING, MOMENT_NS);
    while (seen != OPEN) {
        (void)atomic_fetch_add(&count, 1);
        seen = atomic_load(&gate);
        if (seen != CLOSED)
            return;
        leave();
        wait_while(CLOSED, UINT64_MAX);
    }
}

void moat_walk_begin(void)
{
    moat_seal();
    moat_seal_note_lock();
    if (under_way++ == 0)
        enter_or_wait();
}

void moat_walk_end(void)
{
    if (--under_way == 0)
        leave();
    moat_seal_note_unlock();
    moat_unseal();
}

static void set_gate(unsigned state)
{
    atomic_store(&gate, state);
    if (atomic_load(&waiting) != 0)
        moat_word_wake(&gate);
}

/* Closes the gate. False: a walk went through meanwhile. */
static bool close_gate(void)
{
    unsigned walks;

    set_gate(CLOSING);
    while ((walks = atomic_load(&count)) != 0)
        moat_word_wait(&count, walks, UINT64_MAX);
    set_gate(CLOSED);
    return atomic_load(&count) == 0;
}

void moat_walks_stop(void)
{
    moat_seal();
    moat_seal_note_lock();
    while (under_way == 0 && !close_gate())
        continue;
}

void moat_walks_go(void)
{
    if (under_way == 0)
        set_gate(OPEN);
    moat_seal_note_unlock();
    moat_unseal();
}

void moat_walks_forget_others(void)
{
    atomic_store(&count, under_way != 0);
    atomic_store(&waiting, 0);
    atomic_store(&gate, OPEN);
}

void moat_walks_after_fork(void)
{
    moat_walks_forget_others();
    moat_seal_note_unlock();
    moat_unseal();
}
