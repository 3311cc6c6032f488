/*
 * walks.c: the walks under way, which a fork waits for.
 *
 * libunwind keeps what it has found out in a cache with a lock, and knows
 * nothing of fork: a child that was forked while another thread was inside
 * would wait for that lock for ever at its first walk, with all signals
 * blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "unwind/unwind.h"

/* A fork's turn comes however many threads walk without a pause. */
static pthread_rwlock_t lock =
    PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* Of this thread: a signal handler that interrupted a walk may walk, too, and
 * may fork: it does not wait for itself. */
static _Thread_local unsigned under_way
    __attribute__((tls_model("initial-exec")));

void moat_walk_begin(void)
{
    if (under_way++ == 0)
        (void)pthread_rwlock_rdlock(&lock);
}

void moat_walk_end(void)
{
    if (--under_way == 0)
        (void)pthread_rwlock_unlock(&lock);
}

void moat_walks_stop(void)
{
    if (under_way == 0)
        (void)pthread_rwlock_wrlock(&lock);
}

void moat_walks_go(void)
{
    if (under_way == 0)
        (void)pthread_rwlock_unlock(&lock);
}

void moat_walks_after_fork(void)
{
    static const pthread_rwlock_t fresh =
        PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

    (void)pthread_rwlock_unlock(&lock);
    /* It still counts threads that wait for it in the parent only. */
    lock = fresh;
    if (under_way > 0)
        (void)pthread_rwlock_rdlock(&lock);
}
