/*
 * held.c: locks that guests hold, and initialisations that they have begun.
 *
 * A guest that is stopped between a lock and its unlock would leave it locked,
 * and the next caller, guest or host, would wait for ever. So the objects that
 * a guest takes are noted here, and released when it ends. The data that a
 * lock protects stays as it is.
 *
 * Semaphores and folders are released only if the guest was stopped, since one
 * that has returned may have meant to keep them. Objects in the guest's own
 * heap or on its stack end with it. Mutexes are unlocked there, too: a robust
 * one is on the thread's list, through which the host's next one would be
 * linked to memory that is gone; one that protects a thread's priority has
 * raised that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/held.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/allocator.h>

#include "malloc/take.h"

struct held {
    void *object;
    enum moat_held_kind kind;
    unsigned count;
};

/* Of one guest, from its first object up to its end. */
struct moat_holder {
    struct moat_holder *next; /* in its bucket */
    const moat_co *co;
    pthread_t thread; /* the coroutine's */
    struct held *list;
    size_t used, room;
};

/* Each has a lock of its own, so that guests on different threads rarely wait
 * for each other. All zero is a free mutex of glibc's. */
#define BUCKETS 256u

static struct bucket {
    pthread_mutex_t mutex;
    struct moat_holder *first;
} buckets[BUCKETS];

moat_held_undo *moat_held_undos[MOAT_HELD_KINDS];
atomic_uint moat_held_notes[MOAT_HELD_SLOTS];

/* The C library's own functions, so that these locks are not noted. They are
 * taken on the host's stack only. */
static void lock(struct bucket *bucket)
{
    REAL(int, pthread_mutex_lock, pthread_mutex_t *);
    (void)function(&bucket->mutex);
}

static void unlock(struct bucket *bucket)
{
    REAL(int, pthread_mutex_unlock, pthread_mutex_t *);
    (void)function(&bucket->mutex);
}

/* Lets the child of a fork find them free. */
static void lock_all(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        lock(&buckets[i]);
}

static void unlock_all(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        unlock(&buckets[i]);
}

__attribute__((constructor)) static void handle_forks(void)
{
    (void)pthread_atfork(lock_all, unlock_all, unlock_all);
}

static struct bucket *lock_bucket(const moat_co *co)
{
    struct bucket *bucket = &buckets[((uintptr_t)co >> 6) % BUCKETS];

    lock(bucket);
    return bucket;
}

static struct moat_holder *find(const moat_co *co)
{
    struct bucket *bucket = lock_bucket(co);
    struct moat_holder *each = bucket->first;

    while (each != NULL && each->co != co)
        each = each->next;
    unlock(bucket);
    return each;
}

/* --- when the guest ends ----------------------------------------------------
 */

/* The kernel reads the set of signals before it checks the operation. */
static bool is_readable(const void *object)
{
    const long nothing = -1;

    return syscall(SYS_rt_sigprocmask, nothing, object, NULL, 8) == 0 ||
           errno != EFAULT;
}

static bool is_own(const struct moat_holder *holder, const void *object)
{
    moat_stack_info stack;
    moat_heap *heap = moat_co_heap(holder->co);

    if (heap != NULL && moat_heap_of(object) == heap)
        return true;
    return moat_stack_at((uintptr_t)object, &stack) == MOAT_OK;
}

static bool is_due(const struct moat_holder *holder, const struct held *held,
                   bool stopped)
{
    switch (held->kind) {
    case MOAT_HELD_FOLDER:
        return stopped;
    case MOAT_HELD_SEMAPHORE:
        if (!stopped)
            return false;
        break;
    case MOAT_HELD_MUTEX:
        return is_readable(held->object);
    default:
        break;
    }
    return !is_own(holder, held->object) && is_readable(held->object);
}

static void give_back(const struct moat_holder *holder)
{
    bool stopped = moat_co_get_state(holder->co) == MOAT_CO_TRAPPED;

    for (size_t i = holder->used; i-- > 0;) {
        const struct held *held = &holder->list[i];

        atomic_fetch_sub(moat_held_notes_of(held->object), 1);
        if (!is_due(holder, held, stopped))
            continue;
        for (unsigned n = held->count; n > 0; n--)
            moat_held_undos[held->kind](held->object);
    }
}

static void take_out(const struct moat_holder *holder)
{
    struct bucket *bucket = lock_bucket(holder->co);
    struct moat_holder **link = &bucket->first;

    while (*link != holder)
        link = &(*link)->next;
    *link = holder->next;
    unlock(bucket);
}

struct end_call {
    struct moat_libc_call call;
    struct moat_holder *holder;
};

static void end_run(struct moat_libc_call *call)
{
    struct moat_holder *holder = ((struct end_call *)call)->holder;

    take_out(holder);
    give_back(holder);
    free(holder->list);
    free(holder);
}

/* The resumer may be a guest, too. */
static void end(void *arg)
{
    struct end_call each = {{.run = end_run}, arg};

    moat_libc_call(&each.call);
}

/* --- the notes --------------------------------------------------------------
 */

static struct moat_holder *make(moat_co *co)
{
    struct moat_holder *made = calloc(1, sizeof *made);
    struct bucket *bucket;

    if (made == NULL)
        return NULL;
    made->co = co;
    made->thread = pthread_self();
    bucket = lock_bucket(co);
    made->next = bucket->first;
    bucket->first = made;
    unlock(bucket);
    if (moat_co_defer(co, end, made) == MOAT_OK)
        return made;
    take_out(made);
    free(made);
    return NULL;
}

struct moat_holder *moat_held_prepare(moat_co *co)
{
    struct moat_holder *holder = find(co);
    struct held *grown;
    size_t room;

    if (holder == NULL && (holder = make(co)) == NULL)
        return NULL;
    if (holder->used < holder->room)
        return holder;
    room = holder->room != 0 ? 2 * holder->room : 8;
    grown = reallocarray(holder->list, room, sizeof *grown);
    if (grown == NULL)
        return NULL;
    holder->list = grown;
    holder->room = room;
    return holder;
}

/* The innermost come last, and are looked for first. */
static struct held *held_in(const struct moat_holder *holder,
                            enum moat_held_kind kind, const void *object)
{
    for (size_t i = holder->used; i-- > 0;) {
        struct held *each = &holder->list[i];

        if (each->object == object && each->kind == kind)
            return each;
    }
    return NULL;
}

void moat_held_add(struct moat_holder *holder, enum moat_held_kind kind,
                   void *object)
{
    struct held *held = held_in(holder, kind, object);

    if (held == NULL) {
        held = &holder->list[holder->used++];
        *held = (struct held){.object = object, .kind = kind};
        atomic_fetch_add(moat_held_notes_of(object), 1);
    }
    held->count++;
}

static bool remove_once(struct moat_holder *holder, enum moat_held_kind kind,
                        const void *object)
{
    struct held *held = held_in(holder, kind, object), *last;

    if (held == NULL)
        return false;
    if (--held->count != 0)
        return true;
    last = &holder->list[--holder->used];
    memmove(held, held + 1, (size_t)((char *)last - (char *)held));
    atomic_fetch_sub(moat_held_notes_of(object), 1);
    return true;
}

bool moat_held_remove(moat_co *co, enum moat_held_kind kind, const void *object)
{
    struct moat_holder *holder = find(co);

    return holder != NULL && remove_once(holder, kind, object);
}

/* A recursive mutex that was locked once more: that lock is released first. */
static bool stays_locked(enum moat_held_kind kind, const void *object)
{
    const pthread_mutex_t *mutex = object;

    return kind == MOAT_HELD_MUTEX && mutex->__data.__count > 1;
}

/* Objects of guests on other threads stay noted. */
void moat_held_forget(enum moat_held_kind kind, const void *object)
{
    bool found = stays_locked(kind, object);

    for (size_t i = 0; i < BUCKETS && !found; i++) {
        lock(&buckets[i]);
        for (struct moat_holder *each = buckets[i].first;
             each != NULL && !found; each = each->next)
            found = pthread_equal(each->thread, pthread_self()) != 0 &&
                    remove_once(each, kind, object);
        unlock(&buckets[i]);
    }
}
