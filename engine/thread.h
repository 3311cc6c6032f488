/*
 * thread.h: attached threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_THREAD_H
#define MOAT_ENGINE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <moat/moat.h>

#include "engine/copied.h"
#include "engine/homes.h"
#include "stack/pool.h"
#include "sys/memory.h"
#include "sys/stack.h"

/*
 * On the engine's list until the thread has ended and its last coroutine is
 * destroyed. The list is guarded by the engine's lock. A thread's fields are
 * its own; only `alive` and `live` are read by others, too.
 */
struct moat_thread {
    struct moat_thread *next, *previous;
    uint64_t token;     /* a multiple of MOAT_TOKEN_STEP, never reused */
    atomic_bool alive;  /* cleared under the engine's lock            */
    atomic_size_t live; /* its coroutines, spares included            */
    const struct moat_tls *tls; /* valid while it is alive                    */
    bool lost; /* by a fork, or it ended without a detach; under the lock     */
    pthread_mutex_t life;  /* robust; its own as long as it is attached       */
    sigset_t were_blocked; /* signals of a fault, before the attach           */
    struct moat_own_stack own_stack;
    struct moat_parked *parked; /* guests set aside, the latest first         */
    struct moat_pages altstack; /* the alternate stack                        */
    struct moat_homes homes;
    struct moat_pool pool;
    struct moat_copied copied;
    /* The stack class used last, and the sizes for which it was looked up. */
    size_t usable_bytes, guard_bytes;
    struct moat_stack_class *stack_class;
};

/* This thread; NULL: it is not attached. */
extern __thread struct moat_thread *moat_this_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline struct moat_thread *moat_thread_self(void)
{
    return moat_this_thread;
}

/* Attaches this thread, which is not attached; the engine is ready. */
moat_status moat_thread_join(void);

/* Makes the key that detaches threads at their end; once per process. */
moat_status moat_thread_prepare(void);

/* Returns the number of live coroutines of all threads. Caller holds the
 * engine's lock. */
size_t moat_thread_live_total(void);

/* Returns whether a thread other than this one is attached. Caller holds the
 * engine's lock. */
bool moat_thread_others(void);

/* Returns the first of the list of all threads. It may be read under the
 * engine's lock, or while no other thread is attached or detached; also while
 * such a thread is stopped in the middle of that. */
const struct moat_thread *moat_threads(void);

/* Counts one coroutine more of a home of this thread; one less. The latter may
 * come from another thread, once the owner has ended. */
void moat_thread_take(struct moat_home *home);
void moat_thread_release(struct moat_home *home);

/* A coroutine leaves the home of another thread: it is this one's from now on,
 * or destroyed. The home may be freed with its thread. */
void moat_thread_depart(struct moat_home *home);

/* Returns spares of other specs to the pool if it has no stack for this one. */
void moat_thread_borrow(struct moat_thread *thread, const struct spec *to,
                        size_t max);

/* Returns this thread's spare coroutines to its pool. */
void moat_thread_drop_spares(struct moat_thread *thread);

/* Counts this thread's coroutines again, after a guest was stopped in the
 * middle of counting. */
void moat_thread_recount(struct moat_thread *thread);

/* Ends this thread's homes of destroyed specs, if there are any. */
void moat_thread_tidy(struct moat_thread *thread);

/* Marks a spec as destroyed in all threads, and gives up its reference. */
void moat_thread_retire(struct spec *spec);

/* Returns whether the thread has ended, without a detach even. */
bool moat_thread_has_ended(struct moat_thread *thread);

/* Moves the free stacks of threads that ended without a detach to the pool. */
void moat_thread_adopt(struct moat_pool *to);

/* In a forked child: the other threads do not exist there. */
void moat_thread_after_fork(void);

/* Frees what is left of ended threads. Caller holds the engine's lock. */
void moat_thread_forget_all(void);

#endif
