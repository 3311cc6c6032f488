/*
 * locks.c: mutexes, read-write locks and spin locks of the C library.
 *
 * For a guest they are taken on the host's stack, by tries of some
 * milliseconds: in between a time limit can stop it, and then it has not got
 * the lock. held.c releases those that a guest holds at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/take.h"

/* --- one try of each kind ---------------------------------------------------
 *
 * They return an error number; ETIMEDOUT: it is not free yet. */

static int wait_for_mutex(void *object)
{
    struct timespec until = moat_end_of_try();
    int error;
    REAL(int, pthread_mutex_clocklock, pthread_mutex_t *, clockid_t,
         const struct timespec *);

    error = function(object, CLOCK_MONOTONIC, &until);

    /* Of a mutex that inherits priorities, the kernel knows one clock only. */
    if (error == EINVAL) {
        MOAT_REAL by_date = {"pthread_mutex_timedlock", NULL};
        int (*timed)(pthread_mutex_t *, const struct timespec *);

        moat_real_get(&by_date, &timed);
        (void)clock_gettime(CLOCK_REALTIME, &until);
        error = timed(object, &until);
    }
    return error;
}

static int try_mutex(void *object)
{
    int error;
    REAL(int, pthread_mutex_trylock, pthread_mutex_t *);

    error = function(object);
    return error == EBUSY ? wait_for_mutex(object) : error;
}

static int try_read_lock(void *object)
{
    struct timespec until = moat_end_of_try();
    REAL(int, pthread_rwlock_clockrdlock, pthread_rwlock_t *, clockid_t,
         const struct timespec *);

    return function(object, CLOCK_MONOTONIC, &until);
}

static int try_write_lock(void *object)
{
    struct timespec until = moat_end_of_try();
    REAL(int, pthread_rwlock_clockwrlock, pthread_rwlock_t *, clockid_t,
         const struct timespec *);

    return function(object, CLOCK_MONOTONIC, &until);
}

static int try_spin_lock(void *object)
{
    REAL(int, pthread_spin_trylock, pthread_spinlock_t *);
    int error = function(object);

    return error == EBUSY ? ETIMEDOUT : error;
}

/* Those that do not wait. */
static int try_mutex_once(void *object)
{
    REAL(int, pthread_mutex_trylock, pthread_mutex_t *);
    return function(object);
}

static int try_read_lock_once(void *object)
{
    REAL(int, pthread_rwlock_tryrdlock, pthread_rwlock_t *);
    return function(object);
}

static int try_write_lock_once(void *object)
{
    REAL(int, pthread_rwlock_trywrlock, pthread_rwlock_t *);
    return function(object);
}

static int try_spin_lock_once(void *object)
{
    REAL(int, pthread_spin_trylock, pthread_spinlock_t *);
    return function(object);
}

/* --- giving back ------------------------------------------------------------
 */

static int unlock_mutex(void *object)
{
    REAL(int, pthread_mutex_unlock, pthread_mutex_t *);
    return function(object);
}

static int unlock_rwlock(void *object)
{
    REAL(int, pthread_rwlock_unlock, pthread_rwlock_t *);
    return function(object);
}

static int unlock_spin_lock(void *object)
{
    REAL(int, pthread_spin_unlock, pthread_spinlock_t *);
    return function(object);
}

/* The guest may have been in pthread_cond_wait, or have destroyed it. */
static void undo_mutex(void *object)
{
    const pthread_mutex_t *mutex = object;

    if (mutex->__data.__owner == (int)syscall(SYS_gettid))
        (void)unlock_mutex(object);
}

static void undo_rwlock(void *object)
{
    (void)unlock_rwlock(object);
}

static void undo_spin_lock(void *object)
{
    (void)unlock_spin_lock(object);
}

__attribute__((constructor)) static void set_undos(void)
{
    moat_held_undos[MOAT_HELD_MUTEX] = undo_mutex;
    moat_held_undos[MOAT_HELD_READ_LOCK] = undo_rwlock;
    moat_held_undos[MOAT_HELD_WRITE_LOCK] = undo_rwlock;
    moat_held_undos[MOAT_HELD_SPIN_LOCK] = undo_spin_lock;
}

/* --- the functions ----------------------------------------------------------
 */

/* clang-format off */

#define LOCKS(name, type, kind, fn)                                            \
    MOAT_API int name(type *object)                                            \
    {                                                                          \
        if (moat_takes_as_guest())                                                        \
            return moat_take(MOAT_HELD_##kind, (void *)(uintptr_t)object, fn,   \
                            CLOCK_REALTIME, NULL);                             \
        REAL(int, name, type *);                                               \
        return function(object);                                               \
    }

#define TRIES(name, type, kind, fn)                                            \
    MOAT_API int name(type *object)                                            \
    {                                                                          \
        if (moat_takes_as_guest())                                                        \
            return moat_take_once(MOAT_HELD_##kind,                            \
                                  (void *)(uintptr_t)object, fn);              \
        REAL(int, name, type *);                                               \
        return function(object);                                               \
    }

#define UNLOCKS(name, type, kind, fn)                                          \
    MOAT_API int name(type *object)                                            \
    {                                                                          \
        if (moat_takes_as_guest())                                             \
            return moat_give(MOAT_HELD_##kind, (void *)(uintptr_t)object, fn); \
        moat_held_returned(MOAT_HELD_##kind, (const void *)(uintptr_t)object); \
        REAL(int, name, type *);                                               \
        return function(object);                                               \
    }

#define LOCKS_UNTIL(name, type, kind, fn)                                      \
    MOAT_API int name(type *object, const struct timespec *until)              \
    {                                                                          \
        if (moat_takes_as_guest() && moat_is_time(until))                                      \
            return moat_take(MOAT_HELD_##kind, object, fn, CLOCK_REALTIME,      \
                            until);                                            \
        REAL(int, name, type *, const struct timespec *);                      \
        return function(object, until);                                        \
    }

#define LOCKS_BY(name, type, kind, fn)                                         \
    MOAT_API int name(type *object, clockid_t clock,                           \
                      const struct timespec *until)                            \
    {                                                                          \
        if (moat_takes_as_guest() && moat_is_time(until))                                      \
            return moat_take(MOAT_HELD_##kind, object, fn, clock, until);       \
        REAL(int, name, type *, clockid_t, const struct timespec *);           \
        return function(object, clock, until);                                 \
    }

LOCKS(pthread_mutex_lock, pthread_mutex_t, MUTEX, try_mutex)
TRIES(pthread_mutex_trylock, pthread_mutex_t, MUTEX, try_mutex_once)
LOCKS_UNTIL(pthread_mutex_timedlock, pthread_mutex_t, MUTEX, try_mutex)
LOCKS_BY(pthread_mutex_clocklock, pthread_mutex_t, MUTEX, try_mutex)
UNLOCKS(pthread_mutex_unlock, pthread_mutex_t, MUTEX, unlock_mutex)

LOCKS(pthread_rwlock_rdlock, pthread_rwlock_t, READ_LOCK, try_read_lock)
TRIES(pthread_rwlock_tryrdlock, pthread_rwlock_t, READ_LOCK, try_read_lock_once)
LOCKS_UNTIL(pthread_rwlock_timedrdlock, pthread_rwlock_t, READ_LOCK,
            try_read_lock)
LOCKS_BY(pthread_rwlock_clockrdlock, pthread_rwlock_t, READ_LOCK, try_read_lock)
LOCKS(pthread_rwlock_wrlock, pthread_rwlock_t, WRITE_LOCK, try_write_lock)
TRIES(pthread_rwlock_trywrlock, pthread_rwlock_t, WRITE_LOCK,
      try_write_lock_once)
LOCKS_UNTIL(pthread_rwlock_timedwrlock, pthread_rwlock_t, WRITE_LOCK,
            try_write_lock)
LOCKS_BY(pthread_rwlock_clockwrlock, pthread_rwlock_t, WRITE_LOCK,
         try_write_lock)
UNLOCKS(pthread_rwlock_unlock, pthread_rwlock_t, WRITE_LOCK, unlock_rwlock)

LOCKS(pthread_spin_lock, pthread_spinlock_t, SPIN_LOCK, try_spin_lock)
TRIES(pthread_spin_trylock, pthread_spinlock_t, SPIN_LOCK, try_spin_lock_once)
UNLOCKS(pthread_spin_unlock, pthread_spinlock_t, SPIN_LOCK, unlock_spin_lock)

/* --- C11 --------------------------------------------------------------------
 *
 * A mtx_t of glibc's is a mutex. */

static int result_of(int error)
{
    switch (error) {
    case 0:         return thrd_success;
    case EBUSY:     return thrd_busy;
    case ETIMEDOUT: return thrd_timedout;
    case ENOMEM:    return thrd_nomem;
    default:        return thrd_error;
    }
}

#define MTX(name, call)                                                        \
    MOAT_API int name(mtx_t *object)                                           \
    {                                                                          \
        if (moat_takes_as_guest())                                              \
            return result_of(call((pthread_mutex_t *)(void *)object));         \
        REAL(int, name, mtx_t *);                                              \
        return function(object);                                               \
    }

MTX(mtx_lock, pthread_mutex_lock)
MTX(mtx_trylock, pthread_mutex_trylock)

MOAT_API int mtx_unlock(mtx_t *object)
{
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)(void *)object));
}

/* clang-format on */

MOAT_API int mtx_timedlock(mtx_t *object, const struct timespec *until)
{
    if (moat_takes_as_guest())
        return result_of(
            pthread_mutex_timedlock((pthread_mutex_t *)(void *)object, until));
    REAL(int, mtx_timedlock, mtx_t *, const struct timespec *);
    return function(object, until);
}
