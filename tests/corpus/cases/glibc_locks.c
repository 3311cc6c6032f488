/*
 * glibc_locks.c: locks of threads, and initialisations, that a fault leaves in
 * the middle. Each run takes them first, so that it hangs if the one before it
 * has left them. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <time.h>

#include "hcase.h"

const char *hcase_name = NAME;

/* Never accessible; volatile, for the compiler warns of what it knows. */
static int *volatile bad __attribute__((unused)) = (int *)0x10;

/* Not optimised into a loop. */
__attribute__((unused, noinline)) static int descend(int depth)
{
    volatile char frame[200];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

#if defined CASE_mutex
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static int lock_ever_deeper(int depth)
{
    volatile int below;

    if (pthread_mutex_lock(&mutex) != 0)
        return 1;
    if (depth % 3 == 0)
        (void)pthread_mutex_unlock(&mutex);
    below = depth % 3 == 0 ? lock_ever_deeper(depth + 1) : descend(0);
    return below + 1;
}

int hcase_run(void)
{
    return lock_ever_deeper(0);
}
#elif defined CASE_mutex_kinds
static pthread_mutex_t recursive, checking, inheriting, robust;

static int make(pthread_mutex_t *mutex, int type, int protocol, int robustness)
{
    pthread_mutexattr_t how;

    return pthread_mutexattr_init(&how) != 0 ||
           pthread_mutexattr_settype(&how, type) != 0 ||
           pthread_mutexattr_setprotocol(&how, protocol) != 0 ||
           pthread_mutexattr_setrobust(&how, robustness) != 0 ||
           pthread_mutex_init(mutex, &how) != 0;
}

int hcase_setup(long n)
{
    (void)n;
    return make(&recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE,
                PTHREAD_MUTEX_STALLED) != 0 ||
           make(&checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE,
                PTHREAD_MUTEX_STALLED) != 0 ||
           make(&inheriting, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT,
                PTHREAD_MUTEX_STALLED) != 0 ||
           make(&robust, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE,
                PTHREAD_MUTEX_ROBUST) != 0;
}

/* The thread itself could lock the recursive one again: another one tries. */
static int is_left(void)
{
    return ((recursive.__data.__owner | checking.__data.__owner |
             inheriting.__data.__owner | robust.__data.__owner) &
            0x3fffffff) != 0;
}

int hcase_run(void)
{
    if (is_left() || pthread_mutex_lock(&recursive) != 0 ||
        pthread_mutex_lock(&recursive) != 0 ||
        pthread_mutex_lock(&checking) != 0 ||
        pthread_mutex_trylock(&inheriting) != 0 ||
        pthread_mutex_lock(&robust) != 0)
        return 1;
    return *bad;
}
#elif defined CASE_rwlock
static pthread_rwlock_t read_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t write_lock = PTHREAD_RWLOCK_INITIALIZER;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    if (pthread_rwlock_trywrlock(&read_lock) != 0 ||
        pthread_rwlock_unlock(&read_lock) != 0 ||
        pthread_rwlock_rdlock(&read_lock) != 0 ||
        pthread_rwlock_rdlock(&read_lock) != 0 ||
        pthread_rwlock_wrlock(&write_lock) != 0)
        return 1;
    return *bad;
}
#elif defined CASE_spin
static pthread_spinlock_t spin;

int hcase_setup(long n)
{
    (void)n;
    return pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
}

int hcase_run(void)
{
    if (pthread_spin_lock(&spin) != 0)
        return 1;
    return descend(0);
}
#elif defined CASE_semaphore
/* Made by the first run, as libtcc does. */
static sem_t lock;
static int is_made;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    int value = 0;

    if (!is_made && sem_init(&lock, 0, 1) != 0)
        return 1;
    is_made = 1;
    if (sem_wait(&lock) != 0 || sem_getvalue(&lock, &value) != 0 || value != 0)
        return 1;
    return descend(0);
}
#elif defined CASE_condition
/* Nobody signals: the time limit ends the wait. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile int come;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    if (pthread_mutex_lock(&mutex) != 0)
        return 1;
    while (!come) {
        if (pthread_cond_wait(&condition, &mutex) != 0)
            return 1;
        for (volatile int i = 0; i < 1000000; i++)
            continue;
    }
    return 0;
}
#elif defined CASE_c11
static mtx_t mutex;

int hcase_setup(long n)
{
    (void)n;
    return mtx_init(&mutex, mtx_plain) != thrd_success;
}

int hcase_run(void)
{
    return mtx_lock(&mutex) != thrd_success ? 1 : *bad;
}
#elif defined CASE_once
static pthread_once_t once = PTHREAD_ONCE_INIT;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static void initialise(void)
{
    (void)descend(0);
}

int hcase_run(void)
{
    return pthread_once(&once, initialise);
}
#elif defined CASE_call_once
static once_flag once = ONCE_FLAG_INIT;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static void initialise(void)
{
    *bad = 1;
}

int hcase_run(void)
{
    call_once(&once, initialise);
    return 0;
}
#elif defined CASE_key
/* The destructor would run as the host, when the thread ends. */
static pthread_key_t key;

int hcase_setup(long n)
{
    (void)n;
    return pthread_key_create(&key, free);
}

int hcase_run(void)
{
    void *block = malloc(100);

    if (block == NULL || pthread_setspecific(key, block) != 0)
        return 1;
    return *bad;
}
#endif
