/*
 * thread.c: attached threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/coroutine.h"
#include "engine/filter.h"
#include "engine/host_call.h"
#include "engine/lock.h"
#include "stack/lent.h"
#include "sys/lock.h"
#include "trap/alarm.h"
#include "trap/altstack.h"
#include "trap/crew.h"
#include "trap/mask.h"
#include "trap/stack_owner.h"
#include "trap/task.h"

/* Under the engine's lock. */
static struct moat_thread *threads;
static uint64_t last_token;
static struct moat_pool orphans; /* of threads that ended without a detach */

static pthread_key_t key; /* made once; its destructor detaches */
static bool has_key;

__thread struct moat_thread *moat_this_thread;

const struct moat_thread *moat_threads(void)
{
    return threads;
}

static void link_thread(struct moat_thread *thread)
{
    thread->next = threads;
    if (threads != NULL)
        threads->previous = thread;
    threads = thread;
}

static void unlink_thread(struct moat_thread *thread)
{
    if (thread->previous != NULL)
        thread->previous->next = thread->next;
    else
        threads = thread->next;
    if (thread->next != NULL)
        thread->next->previous = thread->previous;
}

/* Other threads do not write the count, so no locked instruction is needed,
 * which would cost more than a switch. */
static void add_live(struct moat_thread *thread, size_t count)
{
    atomic_store_explicit(
        &thread->live,
        atomic_load_explicit(&thread->live, memory_order_relaxed) + count,
        memory_order_relaxed);
}

/* Returns how many coroutines the thread has, spares included. Caller holds the
 * engine's lock, or is the thread. */
static size_t count_of(const struct moat_thread *thread)
{
    return atomic_load(&thread->live) - moat_homes_departed(&thread->homes);
}

void moat_thread_take(struct moat_home *home)
{
    add_live(home->owner, 1);
    home->made++;
}

/* Caller holds the engine's lock. */
static void free_thread(struct moat_thread *thread)
{
    unlink_thread(thread);
    moat_homes_free(&thread->homes);
    moat_area_settle(&thread->copied.area);
    moat_free_later(thread);
}

static void free_if_gone(struct moat_thread *thread)
{
    if (!atomic_load(&thread->alive) && count_of(thread) == 0)
        free_thread(thread);
}

static void release_own(struct moat_home *home)
{
    struct moat_thread *thread = home->owner;

    add_live(thread, 0 - (size_t)1);
    home->made--;
    if (moat_home_is_dead(home) && moat_home_is_empty(home))
        atomic_store(&thread->homes.sweep, true);
    moat_thread_tidy(thread);
}

void moat_thread_depart(struct moat_home *home)
{
    struct moat_thread *thread = home->owner;

    moat_engine_lock();
    moat_home_depart(home);
    if (moat_home_is_dead(home)) /* its owner may free it */
        atomic_store(&thread->homes.sweep, true);
    free_if_gone(thread);
    moat_engine_unlock();
}

void moat_thread_release(struct moat_home *home)
{
    if (home->owner == moat_this_thread)
        release_own(home);
    else
        moat_thread_depart(home);
}

/* --- the end of a thread -------------------------------------------------- */

/*
 * A thread that attaches in the last round of its keys' destructors ends
 * without a detach. So each attached thread holds a robust lock of its own,
 * which the system releases for it.
 */
static moat_status begin_life(struct moat_thread *thread)
{
    pthread_mutexattr_t robust;
    int error;

    if (pthread_mutexattr_init(&robust) != 0)
        return MOAT_E_NOMEM;
    (void)pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    error = pthread_mutex_init(&thread->life, &robust);
    (void)pthread_mutexattr_destroy(&robust);
    if (error != 0)
        return MOAT_E_NOMEM;
    (void)pthread_mutex_lock(&thread->life);
    return MOAT_OK;
}

static void end_life(struct moat_thread *thread)
{
    (void)pthread_mutex_unlock(&thread->life);
    (void)pthread_mutex_destroy(&thread->life);
}

/* The thread's own is lost: its spares with its words. Its coroutines no longer
 * count. Its pool is adopted. */
static void note_end(struct moat_thread *thread)
{
    atomic_store(&thread->alive, false);
    thread->lost = true;
    moat_pool_move(&orphans, &thread->pool);
}

/* Returns whether the thread has ended. Under the engine's lock. */
static bool has_ended(struct moat_thread *thread)
{
    if (!atomic_load(&thread->alive))
        return true;
    if (thread == moat_this_thread ||
        pthread_mutex_trylock(&thread->life) != EOWNERDEAD)
        return false;
    end_life(thread);
    note_end(thread);
    return true;
}

bool moat_thread_has_ended(struct moat_thread *thread)
{
    bool ended;

    moat_engine_lock();
    ended = has_ended(thread);
    moat_engine_unlock();
    return ended;
}

void moat_thread_adopt(struct moat_pool *to)
{
    moat_engine_lock();
    for (struct moat_thread *each = threads; each != NULL; each = each->next)
        (void)has_ended(each);
    moat_pool_move(to, &orphans);
    moat_engine_unlock();
}

/* --- homes ---------------------------------------------------------------- */

void moat_thread_drop_spares(struct moat_thread *thread)
{
    add_live(thread, 0 - moat_homes_empty(&thread->homes, &thread->pool));
}

void moat_thread_recount(struct moat_thread *thread)
{
    atomic_store_explicit(&thread->live, moat_homes_recount(&thread->homes),
                          memory_order_relaxed);
}

void moat_thread_borrow(struct moat_thread *thread, const struct spec *to,
                        size_t max)
{
    if (!moat_pool_has(&thread->pool, thread->stack_class))
        add_live(thread,
                 0 - moat_homes_lend(&thread->homes, to, max, &thread->pool));
}

void moat_thread_tidy(struct moat_thread *thread)
{
    if (atomic_load_explicit(&thread->homes.sweep, memory_order_acquire))
        add_live(thread, 0 - moat_homes_sweep(&thread->homes, &thread->pool));
}

void moat_thread_retire(struct spec *spec)
{
    moat_engine_lock();
    atomic_store(&spec->dead, true);
    for (struct moat_thread *each = threads; each != NULL; each = each->next)
        moat_homes_retire(&each->homes, spec);
    moat_spec_release(spec);
    moat_engine_unlock();
    if (moat_this_thread != NULL)
        moat_thread_tidy(moat_this_thread);
}

/* --- attach and detach ---------------------------------------------------- */

/* A thread may end inside a guest (by a cancellation that no unwinder stopped).
 * Its coroutines never continue, and it must not be taken to run one. */
static void abandon(struct co *co)
{
    for (; co != NULL; co = resumer_of(co))
        co->control.state = MOAT_MARK_DONE;
}

static void abandon_running(struct moat_thread *thread)
{
    struct moat_parked *parked = thread->parked;

    abandon(moat_host_call_innermost());
    for (; parked != NULL; parked = parked->next)
        abandon(parked->innermost);
    thread->parked = NULL;
    (void)moat_host_calls_replace(NULL);
    MOAT_TLS_WRITE_CURRENT(0);
    moat_filter_disarm();
}

/* Releases this thread's resources. Its struct stays on the list as long as
 * coroutines refer to it. */
static void leave_engine(void)
{
    struct moat_thread *thread = moat_this_thread;

    moat_crew_come_home();
    abandon_running(thread);
    moat_homes_close(&thread->homes);
    moat_thread_tidy(thread);
    moat_thread_drop_spares(thread);
    moat_copied_close(&thread->copied, &thread->pool);
    moat_pool_drain(&thread->pool);
    moat_lent_leave();
    moat_alarm_end();
    moat_crew_end();
    (void)moat_altstack_detach();
    moat_mask_block(&thread->were_blocked);
    moat_tls.token = 0;
    moat_this_thread = NULL;
    moat_engine_lock();
    atomic_store(&thread->alive, false);
    end_life(thread);
    free_if_gone(thread);
    moat_engine_unlock();
}

static void on_thread_exit(void *value)
{
    (void)value;
    if (moat_this_thread != NULL)
        leave_engine();
}

moat_status moat_thread_prepare(void)
{
    if (has_key)
        return MOAT_OK;
    if (pthread_key_create(&key, on_thread_exit) != 0)
        return MOAT_E_NOMEM;
    has_key = true;
    return MOAT_OK;
}

moat_status moat_thread_join(void)
{
    struct moat_thread *thread = calloc(1, sizeof *thread);
    moat_status status;

    if (thread == NULL)
        return MOAT_E_NOMEM;
    status = begin_life(thread);
    if (status != MOAT_OK)
        goto free_thread;
    status = moat_altstack_attach();
    if (status != MOAT_OK)
        goto end_life;
    if (pthread_setspecific(key, thread) != 0) {
        status = MOAT_E_NOMEM;
        goto detach_altstack;
    }
    moat_task_note();
    status = moat_crew_attach();
    if (status != MOAT_OK)
        goto unset;
    thread->own_stack = moat_ask_own_stack();
    moat_host_stack_note(thread->own_stack.limit, thread->own_stack.base);
    moat_altstack_bounds(&thread->altstack);
    moat_mask_unblock(&thread->were_blocked);
    atomic_init(&thread->alive, true);
    thread->tls = &moat_tls;
    moat_homes_open(&thread->homes, thread);
    moat_engine_lock();
    thread->token = last_token += MOAT_TOKEN_STEP;
    link_thread(thread);
    moat_engine_unlock();
    moat_this_thread = thread;
    moat_tls.token = thread->token;
    return MOAT_OK;

unset:
    (void)pthread_setspecific(key, NULL);
detach_altstack:
    (void)moat_altstack_detach();
end_life:
    end_life(thread);
free_thread:
    free(thread);
    return status;
}

/* Of another thread: a recent count. It may end meanwhile, and its words with
 * it. */
static size_t live_of(const struct moat_thread *thread)
{
    size_t live = count_of(thread);
    size_t spares = moat_homes_spares(&thread->homes);

    return live > spares ? live - spares : 0;
}

moat_status moat_thread_detach(void)
{
    moat_status status;

    if (moat_this_thread == NULL)
        return MOAT_OK;
    if (moat_running() != NULL || live_of(moat_this_thread) != 0)
        return MOAT_E_STATE;
    moat_crew_come_home();
    /* The only step that can fail comes first. */
    status = moat_altstack_detach();
    if (status != MOAT_OK)
        return status;
    (void)pthread_setspecific(key, NULL);
    leave_engine();
    return MOAT_OK;
}

size_t moat_thread_live_total(void)
{
    size_t total = 0;

    for (struct moat_thread *each = threads; each != NULL; each = each->next) {
        size_t live = live_of(each);

        /* Asked last: of a thread that is alive now the count is true. */
        (void)has_ended(each);
        total += each->lost ? 0 : live;
    }
    return total;
}

bool moat_thread_others(void)
{
    for (struct moat_thread *each = threads; each != NULL; each = each->next) {
        if (each != moat_this_thread && !has_ended(each))
            return true;
    }
    return false;
}

void moat_thread_after_fork(void)
{
    moat_task_note_forked();
    moat_crew_after_fork();
    /* A guest may have forked, which must not go on without its filter. */
    if (moat_filter.armed)
        moat_filter_keep(moat_running());
    for (struct moat_thread *each = threads; each != NULL; each = each->next) {
        if (each != moat_this_thread) {
            atomic_store(&each->alive, false);
            each->lost = true;
        }
    }
    /* In the child the thread has another number, by which it would hold its
     * lock; without one it ends at its detach. */
    if (moat_this_thread != NULL)
        (void)begin_life(moat_this_thread);
}

void moat_thread_forget_all(void)
{
    struct moat_thread *thread = threads;

    threads = NULL;
    while (thread != NULL) {
        struct moat_thread *next = thread->next;

        moat_pool_forget(&thread->pool);
        moat_homes_free(&thread->homes);
        moat_free_later(thread);
        thread = next;
    }
    moat_pool_forget(&orphans);
}
