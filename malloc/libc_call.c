/*
 * libc_call.c: a guest's call of a function of the C library, made for it on
 * the host's stack.
 *
 * What glibc leaves behind where a function is left in its middle:
 *
 *   The stream's lock. It is recursive and counts, so it is unlocked until the
 *   thread holds it as often as before the call.
 *
 *   The thread's list of cleanup handlers (printf and scanf have one, on the
 *   stack). A later longjmp of the host would call what then lies there. An
 *   entry of our own, put on the list before, takes all after it off again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/libc_call.h"

#include <stdlib.h>

#include <moat/allocator.h>
#include <moat/moat.h>

#include "malloc/owner.h"

/* Exported, but declared for old programs only. */
void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer,
                           void (*routine)(void *), void *arg);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

const char moat_keeps_no_lock = 1;

/* The head of what FILE._lock points to (_IO_lock_t of glibc). */
struct stream_lock {
    int lock, count;
    void *owner;
};

static int held_by_thread(const FILE *stream)
{
    const struct stream_lock *lock = (const void *)stream->_lock;

    return lock != NULL && lock->owner == (void *)pthread_self() ? lock->count
                                                                 : 0;
}

bool moat_libc_is_guest(void)
{
    return !moat_malloc_on_host() && moat_guest_calls();
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void *run_as_host(void *arg)
{
    struct moat_libc_call *call = arg;

    _pthread_cleanup_push(&call->cleanups, do_nothing, NULL);
    if (call->stream != NULL && !call->is_closed) {
        call->held = held_by_thread(call->stream);
        call->counted = true;
    }
    call->run(call);
    _pthread_cleanup_pop(&call->cleanups, 0);
    return call;
}

/* After a fault. A stream that was being closed may be gone. */
static bool give_back(void *arg)
{
    struct moat_libc_call *call = arg;

    _pthread_cleanup_pop(&call->cleanups, 0);
    if (!call->counted)
        return false;
    while (held_by_thread(call->stream) > call->held)
        funlockfile(call->stream);
    return true;
}

void moat_libc_call(struct moat_libc_call *call)
{
    if (moat_malloc_on_host())
        call->run(call);
    else if (moat_call_for_guest(moat_co_current(), run_as_host, give_back,
                                 call) == NULL)
        abort(); /* the running coroutine is the caller's by definition */
}
