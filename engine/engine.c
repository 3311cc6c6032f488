/*
 * engine.c: the process: set-up, tear-down, fork.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "engine/internal.h"
#include "stack/size.h"
#include "unwind/unwind.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock; `ready` is also read without it, and only ever becomes true
 * when all else is in place. */
static struct {
    atomic_bool ready;
    atomic_bool fork_handled;
    const moat_source *source;
    moat_guard_kind guard;
    int deadline_signal;
    struct moat_trim_policy policy;
} engine;

/* A guest that were cut with the lock in its hand would never give it back. */
void moat_engine_lock(void)
{
    moat_hold_enter();
    (void)pthread_mutex_lock(&lock);
}

void moat_engine_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
    moat_hold_end();
}

/* --- fork ---------------------------------------------------------------- */

/* Two first inits at once may register the handlers twice: only the outermost
 * ones act. */
static __thread unsigned forking __attribute__((tls_model("initial-exec")));

static void before_fork(void)
{
    if (forking++ != 0)
        return;
    moat_engine_lock();
    moat_code_lock();
    moat_arena_lock();
    moat_ranges_lock();
    moat_walks_stop(); /* walks ask for lines */
    moat_symbols_lock();
    moat_deadline_before_fork();
}

static void after_fork_in_parent(void)
{
    if (--forking != 0)
        return;
    moat_symbols_unlock();
    moat_walks_go();
    moat_ranges_unlock();
    moat_arena_unlock();
    moat_code_unlock();
    moat_engine_unlock();
}

static void after_fork_in_child(void)
{
    if (--forking != 0)
        return;
    moat_thread_after_fork();
    moat_deadline_after_fork();
    moat_grace_after_fork();
    moat_symbols_unlock();
    moat_walks_after_fork();
    moat_ranges_unlock();
    moat_arena_unlock();
    moat_code_unlock();
    moat_engine_unlock();
}

/* Handlers of pthread_atfork cannot be taken back. They must be there before
 * the lock is taken for the first time, or a fork would not wait for it. */
static moat_status handle_fork(void)
{
    if (atomic_load(&engine.fork_handled))
        return MOAT_OK;
    if (pthread_atfork(before_fork, after_fork_in_parent,
                       after_fork_in_child) != 0)
        return MOAT_E_NOMEM;
    atomic_store(&engine.fork_handled, true);
    return MOAT_OK;
}

/* --- init ---------------------------------------------------------------- */

static moat_status resolve(const moat_engine_options *asked,
                           moat_engine_options *out,
                           struct moat_methods *methods)
{
    moat_status status = MOAT_OK;

    memset(out, 0, sizeof *out);
    if (asked != NULL)
        status = moat_options_copy(out, sizeof *out, asked, sizeof *asked);
    if (status != MOAT_OK)
        return status;
    if (out->flags != 0)
        return MOAT_E_INVAL;
    if (out->deadline_signal == 0)
        out->deadline_signal = SIGRTMAX - 3;
    if (out->deadline_signal < SIGRTMIN || out->deadline_signal > SIGRTMAX)
        return MOAT_E_INVAL;
    status = moat_trap_source_choose(out->source, &out->source);
    if (status != MOAT_OK)
        return status;
    status = moat_methods_choose(methods);
    if (status != MOAT_OK)
        return status;
    return moat_guard_choose(out->guard, &out->guard);
}

/* An init with NULL asks for nothing in particular. */
static moat_status check_same(const moat_engine_options *asked,
                              const moat_engine_options *resolved)
{
    if (asked == NULL)
        return MOAT_OK;
    if (resolved->source != engine.source || resolved->guard != engine.guard ||
        resolved->deadline_signal != engine.deadline_signal ||
        resolved->keep_free_bytes != engine.policy.free_bytes ||
        resolved->keep_stack_bytes != engine.policy.stack_bytes)
        return MOAT_E_STATE;
    return MOAT_OK;
}

static moat_status set_up(const moat_engine_options *options,
                          const struct moat_methods *methods)
{
    const struct moat_arena_layout layout = {
        .entry_bytes = CO_ENTRY_BYTES,
        .slot_offset = offsetof(struct moat_activation, slot),
        .cold_bytes = CO_COLD_BYTES,
        .guard = options->guard,
        .made = moat_trap_watch_arena,
    };
    moat_status status = moat_thread_prepare();

    if (status == MOAT_OK)
        status = moat_trap_install(options->source);
    if (status != MOAT_OK)
        return status;
    moat_arena_configure(&layout);
    moat_methods = *methods;
    engine.policy.free_bytes = options->keep_free_bytes;
    engine.policy.stack_bytes = options->keep_stack_bytes;
    moat_trim_configure(&engine.policy);
    moat_locks_prepare();
    engine.source = options->source;
    engine.guard = options->guard;
    engine.deadline_signal = options->deadline_signal;
    atomic_store(&engine.ready, true);
    return MOAT_OK;
}

static moat_status init(const moat_engine_options *asked)
{
    moat_engine_options options;
    struct moat_methods methods;
    moat_status status = resolve(asked, &options, &methods);

    if (status == MOAT_OK)
        status = handle_fork();
    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    status = atomic_load(&engine.ready) ? check_same(asked, &options)
                                        : set_up(&options, &methods);
    moat_engine_unlock();
    return status;
}

moat_status moat_engine_init(const moat_engine_options *asked)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    status = init(asked);
    moat_hold_end();
    return status;
}

moat_status moat_engine_ready(void)
{
    return atomic_load(&engine.ready) ? MOAT_OK : moat_engine_init(NULL);
}

moat_status moat_engine_need_deadlines(void)
{
    moat_status status = moat_engine_ready();

    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    status = moat_deadline_install(engine.deadline_signal);
    moat_engine_unlock();
    return status;
}

moat_status moat_engine_check(void)
{
    moat_status status;

    if (!atomic_load(&engine.ready))
        return MOAT_E_STATE;
    status = moat_trap_check();
    if (status == MOAT_OK)
        status = moat_trap_check_mask();
    if (status == MOAT_OK)
        status = moat_deadline_check();
    return status == MOAT_OK ? moat_altstack_check() : status;
}

/* --- shutdown ------------------------------------------------------------ */

static moat_status may_shut_down(void)
{
    if (moat_thread_live_total() != 0 || moat_thread_others() ||
        moat_regions_any())
        return MOAT_E_STATE;
    return MOAT_OK;
}

static moat_status tear_down(void)
{
    moat_status trap = moat_trap_remove();
    moat_status deadline = moat_deadline_remove();

    atomic_store(&engine.ready, false);
    moat_thread_forget_all();
    moat_arena_release_all();
    return trap != MOAT_OK ? trap : deadline;
}

moat_status moat_engine_shutdown(void)
{
    moat_status status;

    if (!atomic_load(&engine.ready))
        return MOAT_OK;
    if (moat_trap_current() != NULL)
        return MOAT_E_STATE;
    moat_engine_lock();
    status = may_shut_down();
    moat_engine_unlock();
    if (status == MOAT_OK)
        status = moat_thread_detach();
    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    status = tear_down();
    moat_engine_unlock();
    return status;
}

/* --- trim ---------------------------------------------------------------- */

moat_status moat_engine_trim(size_t keep_bytes, size_t *released)
{
    struct moat_thread *thread = moat_thread_self();
    size_t bytes = 0;
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    if (thread != NULL) {
        moat_spares_drop(thread);
        moat_pool_empty(&thread->pool);
    }
    status = moat_trim(keep_bytes, &bytes);
    moat_hold_end();
    if (released != NULL)
        *released = bytes;
    return status;
}

/* --- info ---------------------------------------------------------------- */

static void describe_choice(moat_engine_info *info)
{
    moat_engine_options chosen;
    struct moat_methods methods = {false, false};

    if (atomic_load(&engine.ready)) {
        info->guard = engine.guard;
        info->deadline_signal = engine.deadline_signal;
        info->source = moat_trap_source_name(engine.source);
        methods = moat_methods;
    } else if (resolve(NULL, &chosen, &methods) == MOAT_OK) {
        info->guard = chosen.guard;
        info->deadline_signal = chosen.deadline_signal;
        info->source = moat_trap_source_name(chosen.source);
    }
    info->pagemap_scan = methods.scan;
    info->process_madvise = methods.batch;
}

moat_status moat_engine_get_info(moat_engine_info *out)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    moat_status status;

    if (out == NULL)
        return MOAT_E_INVAL;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    describe_choice(&info);
    info.live = moat_thread_live_total();
    moat_engine_unlock();
    info.guards_by_madvise = moat_guard_madvise_works();
    info.pagemap = moat_pages_known();
    info.symbolise_lines = moat_lines_available();
    info.page_bytes = MOAT_PAGE_BYTES;
    info.signal_stack_bytes = moat_altstack_bytes();
    moat_hold_end();
    moat_options_copy_out(out, &info, sizeof info);
    return MOAT_OK;
}
