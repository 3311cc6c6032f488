/*
 * semaphore.h: semaphores and wait groups for tasks: counters without owners.
 * <moat/sched.h> includes it.
 *
 * A permit is lost if the task that has it ends, and a wait group does not
 * reach 0 if a task ends before its moat_wait_group_done. A task that may trap
 * should call moat_semaphore_release or moat_wait_group_done in a function that
 * it has passed to moat_co_defer. Groups (group.h) need no such care.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SEMAPHORE_H
#define MOAT_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

struct moat_sync;

/** A semaphore for tasks. The member is the library's; do not copy the
 * struct. */
typedef struct moat_semaphore {
    struct moat_sync *state;
} moat_semaphore;

/** A counter of unfinished work. The member is the library's; do not copy the
 * struct. */
typedef struct moat_wait_group {
    struct moat_sync *state;
} moat_wait_group;

MOAT_BEGIN_DECLS

/**
 * Initialises a semaphore.
 *
 * It may be initialised before a run, and used in several runs, but only in one
 * at a time.
 *
 * @param[out] semaphore  written in any case, unless it is NULL
 * @param permits         their number at first
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  semaphore is NULL
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_semaphore_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_semaphore_acquire
 */
MOAT_API moat_status moat_semaphore_init(moat_semaphore *semaphore,
                                         uint64_t permits);

/**
 * Takes a permit, or waits for one, first come, first served.
 *
 * @param semaphore  initialised
 * @param deadline   on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      semaphore is NULL or not initialised
 *         MOAT_E_STATE      the caller is not a task; tasks of another run wait
 *         MOAT_E_CLOSED     it was destroyed
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call and no allocation
 * See also:      moat_semaphore_release
 */
MOAT_API MOAT_NODISCARD moat_status
moat_semaphore_acquire(moat_semaphore *semaphore, uint64_t deadline);

/**
 * Returns a permit, or hands it to the task that has waited longest.
 *
 * @param semaphore  initialised
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  semaphore is NULL or not initialised
 *         MOAT_E_STATE  it has 2^64 - 1 permits; the caller is a coroutine
 *                       inside a task, or outside of the run
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 * Cost:          no system call and no allocation
 */
MOAT_API moat_status moat_semaphore_release(moat_semaphore *semaphore);

/**
 * Destroys a semaphore. Tasks that wait for it get MOAT_E_CLOSED.
 *
 * @param semaphore  NULL is allowed; not initialised (state NULL): no effect
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_semaphore_destroy(moat_semaphore *semaphore);

/**
 * Initialises a wait group, with nothing to wait for.
 *
 * @param[out] group  written in any case, unless it is NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  group is NULL
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_wait_group_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 * See also:      moat_wait_group_add, moat_wait_group_wait
 */
MOAT_API moat_status moat_wait_group_init(moat_wait_group *group);

/**
 * Adds to the count of unfinished work.
 *
 * @param group  initialised
 * @param count  how many moat_wait_group_done will follow
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  group is NULL or not initialised; too many
 *         MOAT_E_STATE  the caller is a coroutine inside a task, or outside of
 *                       the run
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_wait_group_add(moat_wait_group *group, size_t count);

/**
 * Counts one as done. After the last one the waiting tasks go on.
 *
 * @param group  initialised
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  group is NULL or not initialised
 *         MOAT_E_STATE  the count is 0; the caller is a coroutine inside a
 *                       task, or outside of the run
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent
 */
MOAT_API moat_status moat_wait_group_done(moat_wait_group *group);

/**
 * Waits until all work is done: until the count is 0.
 *
 * @param group     initialised
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return as moat_semaphore_acquire
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 */
MOAT_API MOAT_NODISCARD moat_status moat_wait_group_wait(moat_wait_group *group,
                                                         uint64_t deadline);

/**
 * Destroys a wait group. Tasks that wait for it get MOAT_E_CLOSED.
 *
 * @param group  NULL is allowed; not initialised (state NULL): no effect
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host
 */
MOAT_API void moat_wait_group_destroy(moat_wait_group *group);

MOAT_END_DECLS

#endif
