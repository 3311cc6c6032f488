/*
 * rwlock.h: locks with many readers or one writer, for tasks. <moat/sched.h>
 * includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_RWLOCK_H
#define MOAT_RWLOCK_H

#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

struct moat_sync;

/** A lock with many readers or one writer. The member is the library's; do not
 * copy the struct. */
typedef struct moat_rwlock {
    struct moat_sync *state;
} moat_rwlock;

MOAT_BEGIN_DECLS

/**
 * Initialises an rwlock, unlocked.
 *
 * It may be initialised before a run, and used in several runs, but only in one
 * at a time.
 *
 * @param[out] lock  written in any case, unless it is NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  lock is NULL
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_rwlock_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_rwlock_read_lock, moat_rwlock_write_lock
 */
MOAT_API moat_status moat_rwlock_init(moat_rwlock *lock);

/**
 * Locks for reading, together with other readers.
 *
 * Tasks are served first come, first served: a reader waits for each writer
 * that came before it, even for one that waits itself.
 *
 * If a writer ends without unlocking, each lock reports that, up to and
 * including the next writer's. A reader that ends without unlocking has changed
 * nothing, and is not reported.
 *
 * @param lock      initialised
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK, or
 *         MOAT_E_OWNER_DIED  the caller has the lock, as with MOAT_OK, but a
 *                            writer has ended without unlocking, and what it
 *                            protects may be half changed
 *         MOAT_E_INVAL       lock is NULL or not initialised
 *         MOAT_E_STATE       the caller has the lock already, or is not a task;
 *                            tasks of another run use it
 *         MOAT_E_CLOSED      it was destroyed
 *         MOAT_E_TIMEOUT     the deadline has passed
 *         MOAT_E_CANCELLED   the caller is being unwound, and would have to
 *                            wait
 *         MOAT_E_DEADLOCK    every task waits, and nothing can wake one
 *         MOAT_E_NOMEM       no memory
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call; an allocation for a task's first
 * See also:      moat_rwlock_unlock
 */
MOAT_API MOAT_NODISCARD moat_status moat_rwlock_read_lock(moat_rwlock *lock,
                                                          uint64_t deadline);

/**
 * Locks for writing, alone.
 *
 * @param lock      initialised
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return as moat_rwlock_read_lock
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation
 * See also:      moat_rwlock_unlock
 */
MOAT_API MOAT_NODISCARD moat_status moat_rwlock_write_lock(moat_rwlock *lock,
                                                           uint64_t deadline);

/**
 * Releases the caller's lock, for reading or for writing.
 *
 * @param lock  initialised
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  lock is NULL or not initialised
 *         MOAT_E_STATE  the caller does not have the lock
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation
 */
MOAT_API moat_status moat_rwlock_unlock(moat_rwlock *lock);

/**
 * Destroys an rwlock. Tasks that wait for it get MOAT_E_CLOSED.
 *
 * @param lock  NULL is allowed; not initialised (state NULL): no effect
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_rwlock_destroy(moat_rwlock *lock);

MOAT_END_DECLS

#endif
