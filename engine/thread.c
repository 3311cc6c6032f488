/*
 * thread.c: attached threads.
 *
 * The list of threads is guarded by the engine's lock. A thread's own fields
 * are its own; `alive` and `live` are also read by others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>

#include "engine/internal.h"

static struct moat_thread *threads; /* under the engine's lock */
static uint64_t last_token;         /* under the engine's lock */
static pthread_key_t key;           /* made once; its destructor detaches */
static bool has_key;

static __thread struct moat_thread *self
    __attribute__((tls_model("initial-exec")));

struct moat_thread *moat_thread_self(void)
{
    return self;
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

/* A thread that ends inside a guest (its own end, not the guest's: a
 * cancellation that no unwinder stopped) leaves coroutines that will never go
 * on, and must not be believed to run one. */
static void abandon_running(void)
{
    struct moat_activation *activation = moat_trap_current();

    while (activation != NULL) {
        activation->co.state = MOAT_MARK_DONE;
        activation = (struct moat_activation *)moat_resumer_of(&activation->co);
    }
    MOAT_TLS_WRITE_CURRENT(0);
}

/* Takes this thread's resources down. Its struct stays on the list as long as
 * coroutines refer to it. */
static void leave_engine(void)
{
    struct moat_thread *thread = self;

    abandon_running();
    moat_spares_drop(thread);
    moat_pool_drain(&thread->pool);
    moat_deadline_detach();
    (void)moat_altstack_detach();
    moat_trap_block(&thread->were_blocked);
    moat_tls.token = 0;
    self = NULL;
    moat_engine_lock();
    atomic_store(&thread->alive, false);
    if (atomic_load(&thread->live) == 0) {
        unlink_thread(thread);
        free(thread);
    }
    moat_engine_unlock();
}

static void on_thread_exit(void *value)
{
    (void)value;
    if (self != NULL)
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

/* For the main thread glibc reads /proc/self/maps. */
static void note_stack(struct moat_thread *thread)
{
    pthread_attr_t attributes;
    void *limit;
    size_t bytes;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &limit, &bytes) == 0) {
        thread->stack_limit = (uintptr_t)limit;
        thread->stack_base = (uintptr_t)limit + bytes;
    }
    (void)pthread_attr_destroy(&attributes);
}

static moat_status join_engine(void)
{
    struct moat_thread *thread = calloc(1, sizeof *thread);
    moat_status status;

    if (thread == NULL)
        return MOAT_E_NOMEM;
    status = moat_altstack_attach();
    if (status != MOAT_OK)
        goto free_thread;
    if (pthread_setspecific(key, thread) != 0) {
        status = MOAT_E_NOMEM;
        goto detach_altstack;
    }
    note_stack(thread);
    moat_trap_unblock(&thread->were_blocked);
    atomic_init(&thread->alive, true);
    moat_engine_lock();
    thread->token = last_token += MOAT_TOKEN_STEP;
    link_thread(thread);
    moat_engine_unlock();
    thread->tls = &moat_tls;
    self = thread;
    moat_tls.token = thread->token;
    return MOAT_OK;

detach_altstack:
    (void)moat_altstack_detach();
free_thread:
    free(thread);
    return status;
}

/* What was blocked since the attach is not blocked again at the detach: whoever
 * asked for this has seen to it. */
static moat_status repair(void)
{
    moat_status status = moat_altstack_repair();
    sigset_t were_blocked;

    if (status != MOAT_OK)
        return status;
    moat_trap_unblock(&were_blocked);
    moat_deadline_unblock();
    return MOAT_OK;
}

moat_status moat_thread_attach(void)
{
    return self != NULL ? repair() : moat_thread_ready();
}

moat_status moat_thread_ready(void)
{
    moat_status status;

    if (self != NULL)
        return MOAT_OK;
    status = moat_engine_ready();
    return status == MOAT_OK ? join_engine() : status;
}

/* Of another thread: as many as there were not long ago. */
static size_t live_of(const struct moat_thread *thread)
{
    size_t live = atomic_load(&thread->live);
    size_t spares =
        atomic_load(&thread->alive) ? moat_spares_count(thread->tls) : 0;

    return live > spares ? live - spares : 0;
}

moat_status moat_thread_detach(void)
{
    moat_status status;

    if (self == NULL)
        return MOAT_OK;
    if (moat_trap_current() != NULL || live_of(self) != 0)
        return MOAT_E_STATE;
    /* What can fail comes first. */
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

    for (struct moat_thread *each = threads; each != NULL; each = each->next)
        total += each->lost ? 0 : live_of(each);
    return total;
}

bool moat_thread_others(void)
{
    for (struct moat_thread *each = threads; each != NULL; each = each->next) {
        if (each != self && atomic_load(&each->alive))
            return true;
    }
    return false;
}

/* Others write it only when this thread is gone, so that no locked
 * instruction, which costs more than a switch, is needed. */
static void add_live(struct moat_thread *thread, size_t count)
{
    atomic_store_explicit(
        &thread->live,
        atomic_load_explicit(&thread->live, memory_order_relaxed) + count,
        memory_order_relaxed);
}

void moat_thread_take(struct moat_thread *thread)
{
    add_live(thread, 1);
}

void moat_thread_release(struct moat_thread *thread)
{
    if (thread == self) {
        add_live(thread, (size_t)-1);
        return;
    }
    moat_engine_lock();
    if (atomic_fetch_sub(&thread->live, 1) == 1 &&
        !atomic_load(&thread->alive)) {
        unlink_thread(thread);
        free(thread);
    }
    moat_engine_unlock();
}

void moat_thread_after_fork(void)
{
    for (struct moat_thread *each = threads; each != NULL; each = each->next) {
        if (each != self) {
            atomic_store(&each->alive, false);
            each->lost = true;
        }
    }
}

void moat_thread_forget_all(void)
{
    struct moat_thread *thread = threads;

    threads = NULL;
    while (thread != NULL) {
        struct moat_thread *next = thread->next;

        free(thread);
        thread = next;
    }
}
