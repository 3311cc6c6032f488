/*
 * once.c: initialisations that are done once: pthread_once, call_once, and the
 * local static variables of C++.
 *
 * A guest that is stopped in one would leave it begun for ever, and the next
 * caller would wait for its end. Here the initialisation then counts as not
 * begun, and the next one begins it again. It runs on the guest's stack.
 *
 * The C library's word for pthread_once is 0, or 2 when it is done; while it is
 * under way it is 1 and the number of forks, by 4. A guard of C++ is a byte
 * that the compiler's code reads: not 0 when it is done; in GNU's library bit 8
 * is set while it is under way, and bit 16 while a thread waits for that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/take.h"

/* A guest looks again after so long. */
#define PAUSE_NS 1000000

/* Of C++. */
int __cxa_guard_acquire(void *guard);
void __cxa_guard_release(void *guard);
void __cxa_guard_abort(void *guard);

static void wake_all(void *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void pause_a_bit(void)
{
    const struct timespec time = {.tv_nsec = PAUSE_NS};

    (void)nanosleep(&time, NULL);
}

/* --- pthread_once -----------------------------------------------------------
 */

#define ONCE_DONE 2

/* The word of an initialisation that is under way in this process. */
static int word_seen;
static pthread_once_t word_probe;

static void see_word(void)
{
    word_seen = word_probe;
}

static int word_under_way(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    REAL(int, pthread_once, pthread_once_t *, void (*)(void));
    int word;

    (void)pthread_mutex_lock(&mutex);
    word_probe = PTHREAD_ONCE_INIT;
    (void)function(&word_probe, see_word);
    word = word_seen;
    (void)pthread_mutex_unlock(&mutex);
    return word;
}

/* EALREADY: it is done; EBUSY: another one is at it. A word from before a fork
 * counts as not begun. */
static int begin_once(void *object)
{
    _Atomic(int) *word = object;
    int seen = atomic_load(word), under_way;

    if (seen == ONCE_DONE)
        return EALREADY;
    under_way = word_under_way();
    if (seen == under_way)
        return EBUSY;
    return atomic_compare_exchange_strong(word, &seen, under_way) ? 0 : EBUSY;
}

static void set_once(void *object, int value)
{
    atomic_store((_Atomic(int) *)object, value);
    wake_all(object);
}

static int end_once(void *object)
{
    set_once(object, ONCE_DONE);
    return 0;
}

static int drop_once(void *object)
{
    set_once(object, 0);
    return 0;
}

static void undo_once(void *object)
{
    (void)drop_once(object);
}

/* An exception passes, or the guest is cancelled. */
static void forget_once(void **object)
{
    if (*object != NULL)
        (void)moat_give(MOAT_HELD_ONCE, *object, drop_once);
}

static void once_for_guest(void *word, void (*fn)(void))
{
    int error;

    while ((error = moat_take_once(MOAT_HELD_ONCE, word, begin_once)) == EBUSY)
        pause_a_bit();
    if (error == 0) {
        __attribute__((cleanup(forget_once))) void *begun = word;

        fn();
        (void)moat_give(MOAT_HELD_ONCE, word, end_once);
        begun = NULL;
    }
}

static bool is_done(const int *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) == ONCE_DONE;
}

MOAT_API int pthread_once(pthread_once_t *once, void (*fn)(void))
{
    if (moat_takes_as_guest()) {
        if (!is_done(once))
            once_for_guest(once, fn);
        return 0;
    }
    REAL(int, pthread_once, pthread_once_t *, void (*)(void));
    return function(once, fn);
}

MOAT_API void call_once(once_flag *once, void (*fn)(void))
{
    if (moat_takes_as_guest()) {
        if (!is_done((const int *)once))
            once_for_guest(once, fn);
        return;
    }
    REAL(void, call_once, once_flag *, void (*)(void));
    function(once, fn);
}

/* --- local static variables -------------------------------------------------
 *
 * The C++ library may have been loaded such that its functions are not found
 * here, so the host has these, too. */

#define GUARD_DONE      1
#define GUARD_UNDER_WAY 0x100
#define GUARD_WAITED    0x10000

static int begin_guard(void *object)
{
    _Atomic(int) *word = object;
    int seen = 0;

    if (atomic_compare_exchange_strong(word, &seen, GUARD_UNDER_WAY))
        return 0;
    return (seen & 0xff) != 0 ? EALREADY : EBUSY;
}

static void set_guard(void *object, int value)
{
    int before = atomic_exchange((_Atomic(int) *)object, value);

    if ((before & GUARD_WAITED) != 0)
        wake_all(object);
}

static int end_guard(void *object)
{
    set_guard(object, GUARD_DONE);
    return 0;
}

static int drop_guard(void *object)
{
    set_guard(object, 0);
    return 0;
}

static void undo_guard(void *object)
{
    (void)drop_guard(object);
}

/* Waits for a change of a guard that is under way. */
static void wait_for_guard(void *object)
{
    _Atomic(int) *word = object;
    int seen = GUARD_UNDER_WAY;

    if (atomic_compare_exchange_strong(word, &seen,
                                       GUARD_UNDER_WAY | GUARD_WAITED))
        seen = GUARD_UNDER_WAY | GUARD_WAITED;
    if (seen == (GUARD_UNDER_WAY | GUARD_WAITED))
        (void)syscall(SYS_futex, object, FUTEX_WAIT_PRIVATE, seen, NULL, NULL,
                      0);
}

MOAT_API int __cxa_guard_acquire(void *guard)
{
    bool guest = moat_takes_as_guest();
    int error;

    for (;;) {
        error = guest ? moat_take_once(MOAT_HELD_GUARD, guard, begin_guard)
                      : begin_guard(guard);
        if (error != EBUSY)
            return error == 0;
        if (guest)
            pause_a_bit();
        else
            wait_for_guard(guard);
    }
}

MOAT_API void __cxa_guard_release(void *guard)
{
    if (moat_takes_as_guest())
        (void)moat_give(MOAT_HELD_GUARD, guard, end_guard);
    else
        (void)end_guard(guard);
}

MOAT_API void __cxa_guard_abort(void *guard)
{
    if (moat_takes_as_guest())
        (void)moat_give(MOAT_HELD_GUARD, guard, drop_guard);
    else
        (void)drop_guard(guard);
}

__attribute__((constructor)) static void set_undos(void)
{
    moat_held_undos[MOAT_HELD_ONCE] = undo_once;
    moat_held_undos[MOAT_HELD_GUARD] = undo_guard;
}
