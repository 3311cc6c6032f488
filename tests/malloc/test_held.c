/*
 * test_held.c: what a guest holds when it ends is given back: locks of threads,
 * initialisations, folders, the position in options; and until then the
 * functions return what the C library's do.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "guests.h"

/* Opaque to the compiler. */
static int *volatile bad = (int *)0x10;
static int ignored;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, recursive, checking;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static mtx_t plain;
static sem_t lock, items;

static void make(pthread_mutex_t *out, int type)
{
    pthread_mutexattr_t how;

    REQUIRE(pthread_mutexattr_init(&how) == 0);
    REQUIRE(pthread_mutexattr_settype(&how, type) == 0);
    REQUIRE(pthread_mutex_init(out, &how) == 0);
}

static void make_all(void)
{
    make(&recursive, PTHREAD_MUTEX_RECURSIVE);
    make(&checking, PTHREAD_MUTEX_ERRORCHECK);
    REQUIRE(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
    REQUIRE(mtx_init(&plain, mtx_plain) == thrd_success);
    REQUIRE(sem_init(&lock, 0, 1) == 0 && sem_init(&items, 0, 2) == 0);
}

static int value_of(sem_t *semaphore)
{
    int value = -1;

    EXPECT_EQ(sem_getvalue(semaphore, &value), 0);
    return value;
}

/* In another thread: the recursive ones would let this one in. */
static void *take_all(void *arg)
{
    EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_trylock(&checking), 0);
    EXPECT_EQ(pthread_rwlock_trywrlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_trylock(&spin), 0);
    EXPECT_EQ(mtx_trylock(&plain), thrd_success);
    EXPECT_EQ(value_of(&lock), 1);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_unlock(&checking), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_unlock(&spin), 0);
    EXPECT_EQ(mtx_unlock(&plain), thrd_success);
    return arg;
}

static void all_are_free(void)
{
    pthread_t other;

    REQUIRE(pthread_create(&other, NULL, take_all, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- How a guest ends ------------------------------------------------------
 */

static void lock_all(void)
{
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_trylock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_lock(&checking), 0);
    EXPECT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_lock(&spin), 0);
    EXPECT_EQ(mtx_lock(&plain), thrd_success);
}

static void *lock_and_fault(moat_co *self, void *input)
{
    (void)self;
    lock_all();
    EXPECT_EQ(sem_wait(&lock), 0);
    EXPECT_EQ(sem_wait(&items), 0);
    ignored = *bad;
    return input;
}

static void *write_and_fault(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    ignored = *bad;
    return input;
}

static void *lock_and_return(moat_co *self, void *input)
{
    (void)self;
    lock_all();
    EXPECT_EQ(sem_wait(&lock), 0);
    return input;
}

static void *lock_and_yield(moat_co *self, void *input)
{
    (void)self;
    lock_all();
    (void)moat_co_yield(self, input);
    return input;
}

static void *lock_and_unlock(moat_co *self, void *input)
{
    (void)self;
    lock_all();
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), EPERM);
    EXPECT_EQ(pthread_mutex_unlock(&checking), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_unlock(&spin), 0);
    EXPECT_EQ(mtx_unlock(&plain), thrd_success);
    ignored = *bad;
    return input;
}

static void what_a_stopped_guest_holds_is_given_back(const void *arg)
{
    static const moat_entry entries[] = {lock_and_fault, write_and_fault,
                                         lock_and_unlock};

    (void)arg;
    make_all();
    for (size_t i = 0; i < 30; i++) {
        moat_co *co = guest_with(entries[i % 3], QUOTA);

        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        all_are_free();
        /* It was no lock, and what it stood for is gone. */
        EXPECT_EQ(value_of(&items), i % 3 == 0 ? 1 : 2);
        EXPECT_EQ(sem_init(&items, 0, 2), 0);
        moat_co_destroy(co);
    }
}

static void it_does_not_matter_how_the_guest_ends(const void *arg)
{
    moat_co *co = guest_with(lock_and_return, QUOTA);

    (void)arg;
    make_all();
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    /* It may have meant to keep that. */
    EXPECT_EQ(value_of(&lock), 0);
    EXPECT_EQ(sem_post(&lock), 0);
    all_are_free();
    moat_co_destroy(co);
    co = guest_with(lock_and_yield, QUOTA);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    all_are_free();
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    all_are_free();
}

/* The host's own locks stay locked. */
static void *lock_again(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    ignored = *bad;
    return input;
}

static void *find_locked(void *arg)
{
    EXPECT_EQ(pthread_mutex_trylock(&recursive), EBUSY);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    return arg;
}

static void the_hosts_locks_stay(const void *arg)
{
    moat_co *co = guest_with(lock_again, QUOTA);
    pthread_t other;

    (void)arg;
    make_all();
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    REQUIRE(pthread_create(&other, NULL, find_locked, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    moat_co_destroy(co);
    all_are_free();
}

/* The host has unlocked what the guest had locked, and locked it again. */
static void *lock_and_leave_to_host(moat_co *self, void *input)
{
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    (void)moat_co_yield(self, input);
    ignored = *bad;
    return input;
}

static void what_the_host_has_given_back_is_the_hosts(const void *arg)
{
    moat_co *co = guest_with(lock_and_leave_to_host, QUOTA);

    (void)arg;
    make_all();
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    moat_co_destroy(co);
    all_are_free();
}

/* Notes of so many locks that the host's unlocking of any looks among them; and
 * the resumer is a guest. */
#define MANY 3000

static pthread_mutex_t many[MANY];

static void *lock_many(moat_co *self, void *input)
{
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(pthread_mutex_lock(&many[i]), 0);
    (void)moat_co_yield(self, input);
    ignored = *bad;
    return input;
}

static void *resume_one(moat_co *self, void *input)
{
    moat_co *co = guest_with(lock_many, QUOTA);

    (void)self;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(pthread_mutex_trylock(&many[i]), 0);
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(pthread_mutex_unlock(&many[i]), 0);
    moat_co_destroy(co);
    return input;
}

static void a_guest_may_hold_many(const void *arg)
{
    moat_co *co = guest_with(lock_many, QUOTA);

    (void)arg;
    make_all();
    guest_run(resume_one, NULL);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    all_are_free();
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(pthread_mutex_trylock(&many[i]), 0);
    moat_co_destroy(co);
}

/* ---- The same results ------------------------------------------------------
 */

static struct timespec after(clockid_t clock, long milliseconds)
{
    struct timespec at;

    EXPECT_EQ(clock_gettime(clock, &at), 0);
    at.tv_nsec += milliseconds * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void *ask_for_locked(moat_co *self, void *input)
{
    struct timespec until = after(CLOCK_REALTIME, 20), never = {0, -1};
    struct timespec steady = after(CLOCK_MONOTONIC, 20);

    (void)self;
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &steady),
              ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_timedlock(&mutex, &never), EINVAL);
    EXPECT_EQ(pthread_mutex_lock(&checking), 0);
    EXPECT_EQ(pthread_mutex_lock(&checking), EDEADLK);
    EXPECT_EQ(pthread_mutex_unlock(&checking), 0);
    EXPECT_EQ(pthread_mutex_unlock(&checking), EPERM);
    EXPECT_EQ(pthread_rwlock_trywrlock(&rwlock), EBUSY);
    EXPECT_EQ(pthread_rwlock_timedwrlock(&rwlock, &until), ETIMEDOUT);
    EXPECT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_trylock(&spin), EBUSY);
    EXPECT_EQ(mtx_trylock(&plain), thrd_busy);
    EXPECT_EQ(mtx_timedlock(&plain, &until), thrd_timedout);
    EXPECT(sem_trywait(&lock) == -1 && errno == EAGAIN);
    EXPECT(sem_timedwait(&lock, &until) == -1 && errno == ETIMEDOUT);
    EXPECT(sem_timedwait(&lock, &never) == -1 && errno == EINVAL);
    EXPECT(pthread_mutex_lock(&recursive) == 0);
    EXPECT_EQ(pthread_cond_timedwait(&condition, &recursive, &until),
              ETIMEDOUT);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    return input;
}

static void the_results_are_the_c_librarys(const void *arg)
{
    (void)arg;
    make_all();
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_lock(&spin), 0);
    EXPECT_EQ(mtx_lock(&plain), thrd_success);
    EXPECT_EQ(sem_wait(&lock), 0);
    guest_run(ask_for_locked, NULL);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_spin_unlock(&spin), 0);
    EXPECT_EQ(mtx_unlock(&plain), thrd_success);
    EXPECT_EQ(sem_post(&lock), 0);
    all_are_free();
}

/* ---- Waiting ---------------------------------------------------------------
 */

static void *wait_for_mutex(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    return input;
}

static void *wait_for_semaphore(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(sem_wait(&lock), 0);
    return input;
}

static void *wait_for_signal(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    for (;;)
        EXPECT_EQ(pthread_cond_wait(&condition, &recursive), 0);
    return input;
}

static moat_co *guest_for_a_while(moat_entry entry)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = 50000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static atomic_int waiting, woken;

static void *wait_in_thread(void *arg)
{
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    atomic_store(&waiting, 1);
    EXPECT_EQ(pthread_cond_wait(&condition, &recursive), 0);
    atomic_store(&woken, 1);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    return arg;
}

static void a_time_limit_ends_a_wait(const void *arg)
{
    static const moat_entry entries[] = {wait_for_mutex, wait_for_semaphore,
                                         wait_for_signal};
    pthread_t other;

    (void)arg;
    make_all();
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(sem_wait(&lock), 0);
    for (int i = 0; i < 3; i++) {
        moat_co *co = guest_for_a_while(entries[i]);

        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_DEADLINE);
        moat_co_destroy(co);
    }
    EXPECT_EQ(value_of(&lock), 0);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(sem_post(&lock), 0);
    all_are_free();
    /* The one signal is not the stopped guest's. */
    REQUIRE(pthread_create(&other, NULL, wait_in_thread, NULL) == 0);
    while (!atomic_load(&waiting))
        (void)sched_yield();
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_cond_signal(&condition), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    EXPECT_EQ(pthread_cond_destroy(&condition), 0);
}

static void *unlock_soon(void *arg)
{
    EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    atomic_store(&waiting, 1);
    (void)usleep(30000);
    atomic_store(&woken, 1);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    return arg;
}

static void *read_when_free(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_rwlock_rdlock(&rwlock), 0);
    EXPECT_EQ(atomic_load(&woken), 1);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    return input;
}

static void a_guest_waits_for_another_thread(const void *arg)
{
    pthread_t other;

    (void)arg;
    REQUIRE(pthread_create(&other, NULL, unlock_soon, NULL) == 0);
    while (!atomic_load(&waiting))
        (void)sched_yield();
    guest_run(read_when_free, NULL);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- Initialisations -------------------------------------------------------
 */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT;
static atomic_int runs;

static void initialise(void)
{
    if (atomic_fetch_add(&runs, 1) < 3)
        ignored = *bad;
}

static void initialise_slowly(void)
{
    atomic_store(&waiting, 1);
    (void)usleep(30000);
    atomic_fetch_add(&runs, 1);
}

static void *call_pthread_once(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_once(&once, initialise), 0);
    return input;
}

static void *call_c11_once(moat_co *self, void *input)
{
    (void)self;
    call_once(&flag, initialise);
    return input;
}

static void *call_in_thread(void *arg)
{
    EXPECT_EQ(pthread_once(&once, initialise_slowly), 0);
    return arg;
}

static void an_initialisation_is_begun_again(const void *arg)
{
    static const moat_entry entries[] = {call_pthread_once, call_c11_once};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        atomic_store(&runs, 0);
        for (int run = 0; run < 6; run++) {
            moat_co *co = guest_with(entries[i], QUOTA);

            EXPECT_EQ(guest_resume(co, NULL),
                      run < 3 ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
            moat_co_destroy(co);
        }
        EXPECT_EQ(atomic_load(&runs), 4);
    }
    EXPECT_EQ(pthread_once(&once, initialise), 0);
    call_once(&flag, initialise);
    EXPECT_EQ(atomic_load(&runs), 4);
}

static void a_guest_waits_for_an_initialisation(const void *arg)
{
    pthread_t other;

    (void)arg;
    REQUIRE(pthread_create(&other, NULL, call_in_thread, NULL) == 0);
    while (!atomic_load(&waiting))
        (void)sched_yield();
    guest_run(call_pthread_once, NULL);
    EXPECT_EQ(atomic_load(&runs), 1);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- Folders and options ---------------------------------------------------
 */

static int folder_fd;

static void *open_folder(moat_co *self, void *input)
{
    DIR *folder = opendir("/"), *other = opendir("/");

    (void)self;
    REQUIRE(folder != NULL && other != NULL);
    folder_fd = dirfd(folder);
    EXPECT(readdir(folder) != NULL);
    EXPECT_EQ(closedir(other), 0);
    EXPECT(opendir("/nonexistent") == NULL && errno == ENOENT);
    if (input == NULL)
        ignored = *bad;
    return folder;
}

static void a_folder_is_closed(const void *arg)
{
    moat_co *co = guest_with(open_folder, QUOTA);
    moat_event event;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT(fcntl(folder_fd, F_GETFD) == -1 && errno == EBADF);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    REQUIRE(moat_co_resume(co, &ignored, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(fcntl(folder_fd, F_GETFD) != -1);
    REQUIRE(event.value != NULL);
    EXPECT(readdir(event.value) != NULL);
    EXPECT_EQ(closedir(event.value), 0);
    moat_co_destroy(co);
}

/* ---- Guests of one thread ---------------------------------------------------
 */

static void *take_over_and_yield(moat_co *self, void *input)
{
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    (void)moat_co_yield(self, input);
    EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&rwlock), 0);
    return input;
}

static void *find_both_locked(void *arg)
{
    EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
    return arg;
}

static void what_another_guest_has_taken_over_stays(const void *arg)
{
    moat_co *first = guest_with(lock_and_leave_to_host, QUOTA);
    moat_co *second = guest_with(take_over_and_yield, QUOTA);
    pthread_t other;

    (void)arg;
    make_all();
    EXPECT_EQ(guest_resume(first, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(second, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(first, NULL), MOAT_EVENT_TRAP);
    REQUIRE(pthread_create(&other, NULL, find_both_locked, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    EXPECT_EQ(guest_resume(second, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(first);
    moat_co_destroy(second);
    all_are_free();
}

static void *lock_yield_and_fault(moat_co *self, void *input)
{
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    (void)moat_co_yield(self, input);
    ignored = *bad;
    return input;
}

/* The host is in the same thread, so it gets the lock as well. */
static void the_host_may_lock_it_meanwhile(const void *arg)
{
    moat_co *co = guest_with(lock_yield_and_fault, QUOTA);

    (void)arg;
    make_all();
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
    EXPECT_EQ(pthread_mutex_lock(&recursive), 0);
    EXPECT_EQ(pthread_mutex_unlock(&recursive), 0);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    all_are_free();
    moat_co_destroy(co);
}

/* ---- Mutexes in a guest's own memory ---------------------------------------
 */

static void make_robust(pthread_mutex_t *out)
{
    pthread_mutexattr_t how;

    REQUIRE(pthread_mutexattr_init(&how) == 0);
    REQUIRE(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
    REQUIRE(pthread_mutex_init(out, &how) == 0);
}

static void *lock_own_and_fault(moat_co *self, void *input)
{
    pthread_mutex_t on_stack, *in_heap = malloc(sizeof *in_heap);

    (void)self;
    REQUIRE(in_heap != NULL);
    make_robust(&on_stack);
    make_robust(in_heap);
    EXPECT_EQ(pthread_mutex_lock(&on_stack), 0);
    EXPECT_EQ(pthread_mutex_lock(in_heap), 0);
    if (input != NULL)
        ignored = *bad;
    moat_co_yield(self, NULL);
    return input;
}

/* The C library links the next one that is locked to the one before. */
static void the_threads_list_leads_to_no_guest(const void *arg)
{
    static pthread_mutex_t robust;

    (void)arg;
    make_robust(&robust);
    for (int i = 0; i < 2; i++) {
        moat_co *co = guest_with(lock_own_and_fault, QUOTA);

        EXPECT_EQ(guest_resume(co, i == 0 ? co : NULL),
                  i == 0 ? MOAT_EVENT_TRAP : MOAT_EVENT_YIELD);
        moat_co_destroy(co);
        EXPECT_EQ(pthread_mutex_lock(&robust), 0);
        EXPECT_EQ(pthread_mutex_unlock(&robust), 0);
    }
}

static void *read_options(moat_co *self, void *input)
{
    char *args[] = {strdup("guest"), strdup("-xyz"), NULL};

    (void)self;
    optind = 1;
    EXPECT_EQ(getopt(2, args, "xyz"), 'x');
    ignored = *bad;
    return input;
}

static void the_hosts_options_are_read_on(const void *arg)
{
    static char name[] = "host", first[] = "-a", second[] = "-b";
    char *args[] = {name, first, second, NULL};
    moat_co *co = guest_with(read_options, QUOTA);

    (void)arg;
    EXPECT_EQ(getopt(3, args, "ab"), 'a');
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    EXPECT_EQ(optind, 1); /* as the guest has set it */
    optind = 2;
    EXPECT_EQ(getopt(3, args, "ab"), 'b');
    EXPECT_EQ(getopt(3, args, "ab"), -1);
    EXPECT_EQ(optind, 3);
}

static const struct child_case cases[] = {
    CHILD_CASE(what_a_stopped_guest_holds_is_given_back),
    CHILD_CASE(it_does_not_matter_how_the_guest_ends),
    CHILD_CASE(the_hosts_locks_stay),
    CHILD_CASE(what_the_host_has_given_back_is_the_hosts),
    CHILD_CASE(a_guest_may_hold_many),
    CHILD_CASE(the_results_are_the_c_librarys),
    CHILD_CASE(a_time_limit_ends_a_wait),
    CHILD_CASE(a_guest_waits_for_another_thread),
    CHILD_CASE(an_initialisation_is_begun_again),
    CHILD_CASE(a_guest_waits_for_an_initialisation),
    CHILD_CASE(a_folder_is_closed),
    CHILD_CASE(what_another_guest_has_taken_over_stays),
    CHILD_CASE(the_host_may_lock_it_meanwhile),
    CHILD_CASE(the_threads_list_leads_to_no_guest),
    CHILD_CASE(the_hosts_options_are_read_on),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.held", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
