/*
 * mutex.h: mutexes and conditions for tasks. <moat/sched.h> includes it.
 *
 * If the owner of a mutex ends without unlocking it, by a trap or otherwise,
 * the next task that locks it becomes the owner. It gets MOAT_E_OWNER_DIED, and
 * has to repair what the mutex protects.
 *
 * The structs only point to the objects, which the library keeps, so a struct
 * may lie on the stack of a task. Do not copy them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MUTEX_H
#define MOAT_MUTEX_H

#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

struct moat_sync;

/** A mutex for tasks. The member is the library's. */
typedef struct moat_mutex {
    struct moat_sync *state;
} moat_mutex;

/** A condition for tasks. The member is the library's. */
typedef struct moat_cond {
    struct moat_sync *state;
} moat_cond;

MOAT_BEGIN_DECLS

/**
 * Initialises a mutex, unlocked.
 *
 * It may be initialised before a run, and used in several runs, but only in one
 * at a time.
 *
 * @param[out] mutex  written in any case, unless it is NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  mutex is NULL
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_mutex_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_mutex_lock, moat_mutex_destroy
 */
MOAT_API moat_status moat_mutex_init(moat_mutex *mutex);

/**
 * Locks a mutex, or waits until its owner hands it over.
 *
 * Waiting tasks get it first come, first served: an unlock makes the first of
 * them the owner.
 *
 * @param mutex     initialised
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK, or
 *         MOAT_E_OWNER_DIED  the caller owns it, as with MOAT_OK, but the last
 *                            owner has ended without unlocking, and what it
 *                            protects may be half changed
 *         MOAT_E_INVAL       mutex is NULL or not initialised
 *         MOAT_E_STATE       the caller owns it already, or is not a task;
 *                            tasks of another run use it
 *         MOAT_E_CLOSED      it was destroyed
 *         MOAT_E_TIMEOUT     the deadline has passed
 *         MOAT_E_CANCELLED   the caller is being unwound, and would have to
 *                            wait
 *         MOAT_E_DEADLOCK    every task waits, and nothing can wake one
 *         MOAT_E_NOMEM       no memory for the deadline
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation
 * See also:      moat_mutex_unlock, moat_cond_wait
 */
MOAT_API MOAT_NODISCARD moat_status moat_mutex_lock(moat_mutex *mutex,
                                                    uint64_t deadline);

/**
 * Unlocks a mutex, or hands it to the task that has waited longest.
 *
 * @param mutex  owned by the caller
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  mutex is NULL or not initialised
 *         MOAT_E_STATE  the caller does not own it
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation
 */
MOAT_API moat_status moat_mutex_unlock(moat_mutex *mutex);

/**
 * Destroys a mutex. Tasks that wait for it get MOAT_E_CLOSED.
 *
 * @param mutex  NULL is allowed; not initialised (state NULL): no effect
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_mutex_destroy(moat_mutex *mutex);

/**
 * Initialises a condition.
 *
 * @param[out] cond  written in any case, unless it is NULL
 *
 * @return as moat_mutex_init
 *
 * Ownership:     the caller's, until moat_cond_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_cond_wait, moat_cond_destroy
 */
MOAT_API moat_status moat_cond_init(moat_cond *cond);

/**
 * Unlocks a mutex, waits for a signal, and locks the mutex again.
 *
 * There are no spurious wakes. Another task may run between the signal and the
 * return, so check the condition in a loop.
 *
 * The mutex is locked again however the wait ends. A task that is cancelled
 * meanwhile owns it when its cleanup code runs. Neither a cancellation nor the
 * deadline ends the wait for the mutex.
 *
 * @param cond      initialised
 * @param mutex     owned by the caller
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK; or, and the caller owns the mutex,
 *         MOAT_E_TIMEOUT     the deadline has passed
 *         MOAT_E_OWNER_DIED  the owner of the mutex has ended meanwhile: as
 *                            from moat_mutex_lock
 *         MOAT_E_CANCELLED   the caller is being unwound
 *         MOAT_E_DEADLOCK    every task waits, and nothing can wake one; if the
 *                            mutex was part of it the caller does not own it:
 *                            moat_mutex_unlock then returns MOAT_E_STATE
 *         MOAT_E_NOMEM       no memory
 *         MOAT_E_CLOSED      the condition was destroyed, or the mutex was,
 *                            which the caller then does not own
 *         or, with nothing changed,
 *         MOAT_E_INVAL       cond or mutex is NULL or not initialised
 *         MOAT_E_STATE       the caller does not own the mutex, or is not a
 *                            task; tasks of another run wait
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call; an allocation for a task's first
 * See also:      moat_cond_signal, moat_cond_broadcast
 */
MOAT_API MOAT_NODISCARD moat_status moat_cond_wait(moat_cond *cond,
                                                   moat_mutex *mutex,
                                                   uint64_t deadline);

/**
 * Wakes the task that has waited longest, if one waits.
 *
 * The caller need not own the mutex.
 *
 * @param cond  initialised
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  cond is NULL or not initialised
 *         MOAT_E_STATE  the caller is a coroutine inside a task, or outside of
 *                       the run
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_cond_signal(moat_cond *cond);

/**
 * Wakes all tasks that wait.
 *
 * @param cond  initialised
 * @return as moat_cond_signal
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_cond_broadcast(moat_cond *cond);

/**
 * Destroys a condition. Tasks that wait for it get MOAT_E_CLOSED.
 *
 * @param cond  NULL is allowed; not initialised (state NULL): no effect
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_cond_destroy(moat_cond *cond);

MOAT_END_DECLS

#endif
