/*
 * fork.c: the library across a fork: every lock is taken before it and released
 * after it on both sides, so that the child finds all lists whole.
 *
 * A signal handler may fork that has interrupted this library on the host's
 * stack, where signals are not blocked. It would wait for a lock that its own
 * thread holds. So it takes none: in the child, too, the interrupted code goes
 * on once the handler returns, and releases what it holds. A lock that another
 * thread held stays locked there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "engine/forked.h"
#include "engine/lock.h"
#include "engine/thread.h"
#include "heap/kept.h"
#include "heap/region.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "registry/ranges.h"
#include "stack/arena.h"
#include "sys/filter.h"
#include "sys/lock.h"
#include "trap/deadline.h"
#include "unwind/symbolise.h"
#include "unwind/walks.h"

/* Two first inits at once may register the handlers twice; then only the
 * outermost ones act. */
static __thread unsigned forking __attribute__((tls_model("initial-exec")));

/* In a handler, with a lock held by what it interrupted. */
static __thread bool in_handler __attribute__((tls_model("initial-exec")));

/* A guest with a policy forks: its system call comes to the policy, and never
 * to the kernel. It may trap there, so no lock can be held, and nothing is
 * counted. */
static bool is_filtered(void)
{
    return moat_filter.selector != MOAT_FILTER_OFF;
}

static void before_fork(void)
{
    if (is_filtered() || forking++ != 0)
        return;
    in_handler = moat_lock_is_held();
    if (in_handler)
        return;
    moat_kept_before_fork();
    moat_engine_lock();
    moat_lock(&moat_codes_lock);
    moat_lock(&moat_arena_lock);
    moat_lock(&moat_heap_regions_lock);
    moat_lock(&moat_ranges_lock);
    moat_walks_stop(); /* first: they look for symbols */
    moat_lock(&moat_symbols_lock);
    moat_deadline_before_fork();
}

static void after_fork_in_parent(void)
{
    if (is_filtered() || --forking != 0 || in_handler)
        return;
    moat_unlock(&moat_symbols_lock);
    moat_walks_go();
    moat_unlock(&moat_ranges_lock);
    moat_unlock(&moat_heap_regions_lock);
    moat_unlock(&moat_arena_lock);
    moat_unlock(&moat_codes_lock);
    moat_engine_unlock();
    moat_kept_after_fork();
}

static void after_fork_in_child(void)
{
    if (--forking != 0)
        return;
    moat_thread_after_fork();
    moat_forked_close();
    moat_deadline_after_fork();
    moat_grace_after_fork();
    moat_kept_after_fork();
    if (in_handler) {
        moat_walks_forget_others();
        return;
    }
    moat_unlock(&moat_symbols_lock);
    moat_walks_after_fork();
    moat_unlock(&moat_ranges_lock);
    moat_unlock(&moat_heap_regions_lock);
    moat_unlock(&moat_arena_lock);
    moat_unlock(&moat_codes_lock);
    moat_engine_unlock();
}

/* Set once: handlers of pthread_atfork cannot be taken back. They must be there
 * before the engine's lock is first taken, or a fork would not wait for it. */
static atomic_bool handled;

moat_status moat_fork_handle(void)
{
    if (atomic_load(&handled))
        return MOAT_OK;
    if (pthread_atfork(before_fork, after_fork_in_parent,
                       after_fork_in_child) != 0)
        return MOAT_E_NOMEM;
    atomic_store(&handled, true);
    return MOAT_OK;
}
