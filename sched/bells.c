/*
 * bells.c: what wakes the workers of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/bells.h"

struct bells *moat_bells_create(unsigned count)
{
    struct bells *bells = calloc(1, sizeof *bells + count * sizeof(sem_t));

    if (bells == NULL)
        return NULL;
    atomic_init(&bells->users, 1);
    bells->count = count;
    for (unsigned i = 0; i < count; i++)
        (void)sem_init(&bells->bells[i], 0, 0);
    return bells;
}

void moat_bells_keep(struct bells *bells)
{
    atomic_fetch_add(&bells->users, 1);
}

void moat_bells_drop(struct bells *bells)
{
    if (bells == NULL || atomic_fetch_sub(&bells->users, 1) != 1)
        return;
    for (unsigned i = 0; i < bells->count; i++)
        (void)sem_destroy(&bells->bells[i]);
    free(bells);
}

/* Each call rings all bells, so a call that was stopped half way, in a task
 * that trapped there, does not affect later ones. */
void moat_bells_alarm(struct bells *bells)
{
    atomic_store(&bells->alarm, true);
    for (unsigned i = 0; i < bells->count; i++)
        (void)sem_post(&bells->bells[i]);
}
