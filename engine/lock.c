/*
 * lock.c: the engine's lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/lock.h"

#include "engine/nointr.h"
#include "sys/lock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A guest that a deadline stopped while it holds the lock would never release
 * it. */
void moat_engine_lock(void)
{
    moat_nointr_enter();
    moat_lock(&lock);
}

void moat_engine_unlock(void)
{
    moat_unlock(&lock);
    moat_nointr_end();
}
