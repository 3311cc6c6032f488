/*
 * grace.c: how a writer finds out that no visitor still sees what it withdrew.
 *
 * A visitor takes a cell of a table for the time of its visit. The invariant: a
 * visitor that can still see withdrawn data has its mark in a cell. It holds
 * because every access is sequentially consistent: a visitor that read the old
 * pointer had taken its cell before the writer stored the new one. So once the
 * writer, after its store, has seen each cell free or with another mark, no
 * visitor sees the old data. No two visits have the same mark, so a stream of
 * visitors cannot keep a writer waiting.
 *
 * Why cells and not a counter: a guest may be stopped at any instruction by the
 * fault of a handler. A mark names its thread and is stored by one instruction,
 * so the thread can tell afterwards whether a visit had begun, and end it.
 *
 * Visitors never wait, so a signal handler can be one. A thread makes at most
 * one visit: a handler that interrupts a visit shares it. Handlers that
 * interrupt the few instructions between the two make one of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "registry/grace.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* More visitors than this at once share a counter. A writer waits until it is
 * zero; and a guest that is stopped while it is counted stays counted. */
#define CELLS 256u

static struct {
    _Alignas(64) _Atomic uint64_t mark; /* 0: free */
} cells[CELLS];

static _Alignas(64) atomic_uint without_cell;

/* Only this thread's own handlers observe it between two steps. Other threads'
 * lie further away than the 64 bytes by which marks_of_thread tells them apart:
 * a thread-control block is larger. */
static __thread struct {
    _Atomic(_Atomic uint64_t *) cell; /* NULL: counted, or none              */
    atomic_uint inside; /* 1 for the time of a visit, as handlers see it     */
    atomic_uint begun;  /* enters without their leave                        */
    uint64_t count;     /* visits so far                                     */
} visit __attribute__((tls_model("initial-exec")));

static unsigned get(atomic_uint *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* The fences keep the order of the steps for this thread's handlers. */
static void set(atomic_uint *word, unsigned value)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(word, value, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* A mark: the thread, by the address of its state, and the number of its visit.
 */
#define COUNT_BITS 16
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

static uint64_t marks_of_thread(void)
{
    return ((uintptr_t)&visit >> 6) << COUNT_BITS;
}

static unsigned first_cell(uint64_t marks)
{
    return (unsigned)((marks * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}
_Static_assert(CELLS == 1u << (64 - 56), "the hash has as many values");

static _Atomic uint64_t *take_cell(void)
{
    uint64_t marks = marks_of_thread();
    uint64_t mark = marks | (++visit.count & COUNT_MASK);
    unsigned first = first_cell(marks);

    for (unsigned i = 0; i < CELLS; i++) {
        _Atomic uint64_t *cell = &cells[(first + i) % CELLS].mark;
        uint64_t none = 0;

        if (atomic_load_explicit(cell, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(cell, &none, mark))
            return cell;
    }
    (void)atomic_fetch_add(&without_cell, 1);
    return NULL;
}

bool moat_grace_enter(void)
{
    _Atomic uint64_t *cell;

    if (get(&visit.inside) != 0)
        return false;
    set(&visit.begun, get(&visit.begun) + 1);
    cell = take_cell();
    atomic_store_explicit(&visit.cell, cell, memory_order_relaxed);
    set(&visit.inside, 1);
    /* Until then a handler may have made a visit of its own. */
    atomic_store_explicit(&visit.cell, cell, memory_order_relaxed);
    return true;
}

void moat_grace_leave(void)
{
    _Atomic uint64_t *cell;

    if (get(&visit.inside) == 0)
        return;
    cell = atomic_load_explicit(&visit.cell, memory_order_relaxed);
    set(&visit.inside, 0);
    if (cell != NULL)
        atomic_store(cell, 0);
    else
        (void)atomic_fetch_sub(&without_cell, 1);
    set(&visit.begun, get(&visit.begun) - 1);
}

void moat_grace_abandon(void)
{
    uint64_t marks = marks_of_thread();

    moat_grace_leave();
    if (get(&visit.begun) == 0)
        return;
    for (unsigned i = 0; i < CELLS; i++) {
        if ((atomic_load(&cells[i].mark) & ~COUNT_MASK) == marks)
            atomic_store(&cells[i].mark, 0);
    }
    set(&visit.begun, 0);
}

bool moat_grace_visiting(void)
{
    return get(&visit.inside) != 0;
}

static void nap(void)
{
    const struct timespec moment = {0, 20000};

    (void)nanosleep(&moment, NULL);
}

void moat_grace_wait(void)
{
    for (unsigned i = 0; i < CELLS; i++) {
        uint64_t mark = atomic_load(&cells[i].mark);

        while (mark != 0 && atomic_load(&cells[i].mark) == mark)
            nap();
    }
    while (atomic_load(&without_cell) != 0)
        nap();
}

void moat_grace_after_fork(void)
{
    for (unsigned i = 0; i < CELLS; i++)
        atomic_store(&cells[i].mark, 0);
    atomic_store(&without_cell, 0);
    set(&visit.inside, 0);
    set(&visit.begun, 0);
}
