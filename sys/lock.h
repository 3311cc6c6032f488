/*
 * lock.h: locks that one thread holds at a time.
 *
 * Under a lock moat calls nothing that may wait for a lock of the program's:
 * not the heap, not stdio, not the dynamic linker. Such a lock may be held by a
 * thread that is about to use moat: a plugin's constructor, an allocator's
 * hook. Memory that is needed under a lock comes from supply.h; memory that is
 * no longer needed is freed later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_LOCK_H
#define MOAT_SYS_LOCK_H

#include <pthread.h>
#include <stdbool.h>

/* Neither a signal handler nor a cancellation comes between the two. */
void moat_lock(pthread_mutex_t *lock);
void moat_unlock(pthread_mutex_t *lock);

/* Returns whether this thread holds a lock, or waits for one: a signal handler
 * that interrupted it must not wait for another. Signal-safe: yes. */
bool moat_lock_is_held(void);

/* Frees memory of the heap, of a word at least, when this thread holds no lock
 * any more; at once if it holds none. NULL is allowed. */
void moat_free_later(void *memory);

#endif
