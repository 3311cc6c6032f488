/*
 * lock.c: locks, and what is freed once none is held.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/lock.h"

#include <stdlib.h>

#include "sys/seal.h"

/* The first word of memory that waits to be freed. */
struct waiting {
    struct waiting *next;
};

static __thread struct {
    volatile unsigned held; /* or waited for */
    struct waiting *first;
} thread __attribute__((tls_model("initial-exec")));

static void free_waiting(void)
{
    while (thread.first != NULL) {
        struct waiting *first = thread.first;

        thread.first = first->next;
        free(first);
    }
}

/* They fail only if used wrongly. */
void moat_lock(pthread_mutex_t *lock)
{
    moat_seal();
    moat_seal_note_lock();
    thread.held++; /* first: a handler that comes in between must not wait */
    (void)pthread_mutex_lock(lock);
}

void moat_unlock(pthread_mutex_t *lock)
{
    (void)pthread_mutex_unlock(lock);
    thread.held--;
    moat_seal_note_unlock();
    if (thread.held == 0)
        free_waiting();
    moat_unseal();
}

bool moat_lock_is_held(void)
{
    return thread.held != 0;
}

void moat_free_later(void *memory)
{
    struct waiting *waiting = memory;

    if (thread.held == 0) {
        free(memory);
    } else if (memory != NULL) {
        waiting->next = thread.first;
        thread.first = waiting;
    }
}
