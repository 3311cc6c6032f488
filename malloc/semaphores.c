/*
 * semaphores.c: semaphores, which may be locks.
 *
 * One that was made with the value 1 is a lock: it is posted if the guest is
 * stopped between sem_wait and sem_post. Other semaphores stay as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include <moat/moat.h>

#include "malloc/take.h"

/* --- which are locks --------------------------------------------------------
 *
 * By their addresses. Of two with the same slot, the one that was made last
 * counts. */

#define SLOTS 4096u

static _Atomic(const sem_t *) locks[SLOTS];

static _Atomic(const sem_t *) *slot_of(const sem_t *semaphore)
{
    return &locks[((uintptr_t)semaphore / sizeof *semaphore) % SLOTS];
}

static bool is_lock(const sem_t *semaphore)
{
    return atomic_load(slot_of(semaphore)) == semaphore;
}

static void note(const sem_t *semaphore, unsigned value)
{
    const sem_t *expected = semaphore;

    if (value == 1)
        atomic_store(slot_of(semaphore), semaphore);
    else
        (void)atomic_compare_exchange_strong(slot_of(semaphore), &expected,
                                             NULL);
}

MOAT_API int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    REAL(int, sem_init, sem_t *, int, unsigned);
    int result = function(semaphore, shared, value);

    if (result == 0)
        note(semaphore, value);
    return result;
}

MOAT_API int sem_destroy(sem_t *semaphore)
{
    REAL(int, sem_destroy, sem_t *);

    note(semaphore, 0);
    return function(semaphore);
}

/* --- waiting ----------------------------------------------------------------
 */

/* A signal that interrupts the wait may be the engine's. */
static int try_semaphore(void *object)
{
    struct timespec until = moat_end_of_try();
    REAL(int, sem_clockwait, sem_t *, clockid_t, const struct timespec *);

    if (function(object, CLOCK_MONOTONIC, &until) == 0)
        return 0;
    return errno == EINTR ? ETIMEDOUT : errno;
}

static int try_semaphore_once(void *object)
{
    REAL(int, sem_trywait, sem_t *);
    return function(object) == 0 ? 0 : errno;
}

static int post(void *object)
{
    REAL(int, sem_post, sem_t *);
    return function(object) == 0 ? 0 : errno;
}

static void undo(void *object)
{
    if (is_lock(object))
        (void)post(object);
}

__attribute__((constructor)) static void set_undo(void)
{
    moat_held_undos[MOAT_HELD_SEMAPHORE] = undo;
}

static int result_of(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

MOAT_API int sem_wait(sem_t *semaphore)
{
    if (moat_takes_as_guest())
        return result_of(moat_take(MOAT_HELD_SEMAPHORE, semaphore,
                                   try_semaphore, CLOCK_REALTIME, NULL));
    REAL(int, sem_wait, sem_t *);
    return function(semaphore);
}

MOAT_API int sem_trywait(sem_t *semaphore)
{
    if (moat_takes_as_guest())
        return result_of(
            moat_take_once(MOAT_HELD_SEMAPHORE, semaphore, try_semaphore_once));
    REAL(int, sem_trywait, sem_t *);
    return function(semaphore);
}

MOAT_API int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (moat_takes_as_guest() && moat_is_time(until))
        return result_of(moat_take(MOAT_HELD_SEMAPHORE, semaphore,
                                   try_semaphore, CLOCK_REALTIME, until));
    REAL(int, sem_timedwait, sem_t *, const struct timespec *);
    return function(semaphore, until);
}

MOAT_API int sem_clockwait(sem_t *semaphore, clockid_t clock,
                           const struct timespec *until)
{
    if (moat_takes_as_guest() && moat_is_time(until))
        return result_of(moat_take(MOAT_HELD_SEMAPHORE, semaphore,
                                   try_semaphore, clock, until));
    REAL(int, sem_clockwait, sem_t *, clockid_t, const struct timespec *);
    return function(semaphore, clock, until);
}

MOAT_API int sem_post(sem_t *semaphore)
{
    if (moat_takes_as_guest())
        return result_of(moat_give(MOAT_HELD_SEMAPHORE, semaphore, post));
    moat_held_returned(MOAT_HELD_SEMAPHORE, semaphore);
    REAL(int, sem_post, sem_t *);
    return function(semaphore);
}
