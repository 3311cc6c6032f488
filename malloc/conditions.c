/*
 * conditions.c: condition variables.
 *
 * A guest that is stopped while it waits would be counted as a waiter for ever:
 * it would be woken instead of another, and the condition variable could not be
 * destroyed. So a guest waits on the host's stack, for some milliseconds, and
 * is then woken, which is allowed: it looks again, and waits again. In between
 * a time limit can stop it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include <moat/moat.h>

#include "malloc/take.h"

struct wait_call {
    struct moat_libc_call call;
    pthread_cond_t *condition;
    pthread_mutex_t *mutex;
    clockid_t clock;
    const struct timespec *until;
    int error;
};

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
                                  : a->tv_nsec < b->tv_nsec;
}

/* Woken for nothing, unless the caller's own time has passed. */
static void wait_run(struct moat_libc_call *call)
{
    struct wait_call *each = (struct wait_call *)call;
    struct timespec until = moat_end_of_try();
    REAL(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *,
         clockid_t, const struct timespec *);

    if (each->until != NULL && each->clock == CLOCK_MONOTONIC &&
        is_before(each->until, &until))
        until = *each->until;
    each->error =
        function(each->condition, each->mutex, CLOCK_MONOTONIC, &until);
    if (each->error == ETIMEDOUT && !moat_has_passed(each->clock, each->until))
        each->error = 0;
}

static int wait_for_guest(pthread_cond_t *condition, pthread_mutex_t *mutex,
                          clockid_t clock, const struct timespec *until)
{
    struct wait_call each = {
        {.run = wait_run}, condition, mutex, clock, until, 0};

    moat_touch_in(condition, sizeof(pthread_cond_t));
    moat_touch_in(mutex, sizeof(pthread_mutex_t));
    moat_libc_call(&each.call);
    return each.error;
}

MOAT_API int pthread_cond_wait(pthread_cond_t *condition,
                               pthread_mutex_t *mutex)
{
    if (moat_takes_as_guest())
        return wait_for_guest(condition, mutex, CLOCK_REALTIME, NULL);
    REAL(int, pthread_cond_wait, pthread_cond_t *, pthread_mutex_t *);
    return function(condition, mutex);
}

/* By the realtime clock, unless the attributes have said otherwise: bit 1 of
 * glibc's word for its users. */
static clockid_t clock_of(const pthread_cond_t *condition)
{
    return (condition->__data.__wrefs & 2u) != 0 ? CLOCK_MONOTONIC
                                                 : CLOCK_REALTIME;
}

MOAT_API int pthread_cond_timedwait(pthread_cond_t *condition,
                                    pthread_mutex_t *mutex,
                                    const struct timespec *until)
{
    if (moat_takes_as_guest() && moat_is_time(until))
        return wait_for_guest(condition, mutex, clock_of(condition), until);
    REAL(int, pthread_cond_timedwait, pthread_cond_t *, pthread_mutex_t *,
         const struct timespec *);
    return function(condition, mutex, until);
}

MOAT_API int pthread_cond_clockwait(pthread_cond_t *condition,
                                    pthread_mutex_t *mutex, clockid_t clock,
                                    const struct timespec *until)
{
    if (moat_takes_as_guest() && moat_is_time(until))
        return wait_for_guest(condition, mutex, clock, until);
    REAL(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *,
         clockid_t, const struct timespec *);
    return function(condition, mutex, clock, until);
}

/* A cnd_t of glibc's is a condition variable. */
MOAT_API int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    if (moat_takes_as_guest())
        return wait_for_guest((pthread_cond_t *)(void *)condition,
                              (pthread_mutex_t *)(void *)mutex, CLOCK_REALTIME,
                              NULL) == 0
                   ? thrd_success
                   : thrd_error;
    REAL(int, cnd_wait, cnd_t *, mtx_t *);
    return function(condition, mutex);
}

MOAT_API int cnd_timedwait(cnd_t *condition, mtx_t *mutex,
                           const struct timespec *until)
{
    if (moat_takes_as_guest() && moat_is_time(until)) {
        int error = wait_for_guest((pthread_cond_t *)(void *)condition,
                                   (pthread_mutex_t *)(void *)mutex,
                                   CLOCK_REALTIME, until);

        return error == 0           ? thrd_success
               : error == ETIMEDOUT ? thrd_timedout
                                    : thrd_error;
    }
    REAL(int, cnd_timedwait, cnd_t *, mtx_t *, const struct timespec *);
    return function(condition, mutex, until);
}
