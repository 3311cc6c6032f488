/*
 * bells.c: what wakes the workers of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sched/bells.h"

/* To write to an eventfd. */
#define TRIES 3

struct bells *moat_bells_create(unsigned count)
{
    struct bells *bells =
        calloc(1, sizeof *bells + count * sizeof(struct bell));

    if (bells == NULL)
        return NULL;
    atomic_init(&bells->users, 1);
    bells->count = count;
    for (unsigned i = 0; i < count; i++) {
        (void)sem_init(&bells->bells[i].rings, 0, 0);
        atomic_init(&bells->bells[i].descriptor, -1);
    }
    return bells;
}

void moat_bells_keep(struct bells *bells)
{
    atomic_fetch_add(&bells->users, 1);
}

/* Drops the jobs that were done too late for the run. */
static void drop_done(struct bells *bells)
{
    struct done *done = atomic_load(&bells->all);

    while (done != NULL) {
        struct done *next = done->next;

        done->drop(done);
        done = next;
    }
}

void moat_bells_drop(struct bells *bells)
{
    if (bells == NULL || atomic_fetch_sub(&bells->users, 1) != 1)
        return;
    drop_done(bells);
    for (unsigned i = 0; i < bells->count; i++) {
        int descriptor = atomic_load(&bells->bells[i].descriptor);

        (void)sem_destroy(&bells->bells[i].rings);
        if (descriptor >= 0)
            (void)close(descriptor);
    }
    free(bells);
}

/* Each call rings all bells, so a call that was stopped half way, in a task
 * that trapped there, does not affect later ones. */
void moat_bells_alarm(struct bells *bells)
{
    atomic_store(&bells->alarm, true);
    for (unsigned i = 0; i < bells->count; i++)
        moat_bell_ring(&bells->bells[i]);
}

void moat_bells_add(struct bells *bells, struct done *done)
{
    done->next = atomic_load(&bells->all);
    while (!atomic_compare_exchange_weak(&bells->all, &done->next, done))
        ;
    moat_bells_alarm(bells);
}

/* ---- One bell ----------------------------------------------------------- */

/* `rung` and `polling`: each side writes one and then reads the other, so that
 * at least one of them sees the other's. */
void moat_bell_ring(struct bell *bell)
{
    static const uint64_t one = 1;

    atomic_store(&bell->rung, true);
    (void)sem_post(&bell->rings);
    if (!atomic_load(&bell->polling))
        return;
    /* The poller sees each write as an edge: the count is never read. It cannot
     * fail, unless a filter of system calls or a tracer lets it. */
    for (int i = 0; i < TRIES; i++)
        if (write(atomic_load(&bell->descriptor), &one, sizeof one) > 0)
            return;
}

int moat_bell_open(struct bell *bell)
{
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (descriptor >= 0)
        atomic_store(&bell->descriptor, descriptor);
    return descriptor;
}

bool moat_bell_begin_polling(struct bell *bell)
{
    atomic_store(&bell->polling, true);
    return atomic_load(&bell->rung);
}

void moat_bell_end_polling(struct bell *bell)
{
    atomic_store(&bell->polling, false);
}

void moat_bell_silence(struct bell *bell)
{
    atomic_store(&bell->rung, false);
    while (sem_trywait(&bell->rings) == 0)
        ;
}
