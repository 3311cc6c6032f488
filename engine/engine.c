/*
 * engine.c: the process: set-up, tear-down, and what can be asked about it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/engine.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "engine/coroutine.h"
#include "engine/filter.h"
#include "engine/fork.h"
#include "engine/leaks.h"
#include "engine/left.h"
#include "engine/lock.h"
#include "engine/nointr.h"
#include "engine/options.h"
#include "engine/preempt.h"
#include "engine/syscalls.h"
#include "engine/thread.h"
#include "heap/region.h"
#include "stack/annotate.h"
#include "stack/guard_choice.h"
#include "stack/lent.h"
#include "stack/trim.h"
#include "sys/filter.h"
#include "sys/fork.h"
#include "sys/pagemap.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/altstack.h"
#include "trap/chain.h"
#include "trap/deadline.h"
#include "trap/handler.h"
#include "trap/mask.h"
#include "trap/regions.h"
#include "trap/source.h"
#include "trap/source_choice.h"
#include "unwind/lines.h"
#include "unwind/locks.h"

/* Guarded by the engine's lock. `ready` is read without it, too: it becomes
 * true after everything else is set up. */
static struct {
    atomic_bool ready;
    const moat_source *source;
    moat_guard_kind guard;
    int deadline_signal;
    uint64_t flags;
    moat_altstack_kind altstack;
    struct moat_trim_policy policy;
} engine;

/* --- init ---------------------------------------------------------------- */

static moat_status resolve(const moat_engine_options *asked,
                           moat_engine_options *out,
                           struct moat_methods *methods)
{
    moat_status status = MOAT_OK;

    memset(out, 0, sizeof *out);
    if (asked != NULL)
        status = moat_options_copy("options", out, sizeof *out, asked,
                                   offsetof(moat_engine_options, altstack));
    if (status != MOAT_OK)
        return status;
    if ((out->flags & ~MOAT_ENGINE_OLD_PAGES) != 0 || out->reserved != 0)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "options->flags is %x, reserved %u: only "
                                  "MOAT_ENGINE_OLD_PAGES may be set",
                                  out->flags, out->reserved);
    if (out->deadline_signal == 0)
        out->deadline_signal = SIGRTMAX - 3;
    if (out->deadline_signal < SIGRTMIN || out->deadline_signal > SIGRTMAX)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "options->deadline_signal is %d: it must be "
                                 "0, or from SIGRTMIN to SIGRTMAX",
                                 (uint64_t)out->deadline_signal);
    status = moat_altstack_probe(out->altstack);
    if (status != MOAT_OK)
        return status;
    status = moat_trap_source_choose(out->source, &out->source);
    if (status != MOAT_OK)
        return status;
    status = moat_guard_choose(out->guard, &out->guard);
    if (status != MOAT_OK)
        return status;
    return moat_methods_choose(out->flags != 0, out->guard, methods);
}

/* An init with NULL accepts whatever is in force. */
static moat_status check_same(const moat_engine_options *asked,
                              const moat_engine_options *resolved)
{
    if (asked == NULL)
        return MOAT_OK;
    if (resolved->source != engine.source || resolved->guard != engine.guard ||
        resolved->deadline_signal != engine.deadline_signal ||
        resolved->flags != engine.flags ||
        resolved->altstack != engine.altstack ||
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
        .slot_offset = offsetof(struct co, slot),
        .cold_entries = CO_COLD_ENTRIES,
        .guard = options->guard,
        .made = moat_trap_watch_arena,
    };
    moat_status status = moat_thread_prepare();

    moat_refusal_prepare();
    if (status == MOAT_OK && !moat_arch_prepare())
        status = moat_refuse(MOAT_E_UNSUPPORTED,
                             "no fault can be contained: without a port to "
                             "this CPU, its stack pointer was not found in a "
                             "ucontext_t");
    if (status == MOAT_OK)
        status = moat_trap_install(options->source);
    if (status != MOAT_OK)
        return status;
    moat_fork_watch();
    moat_arena_layout = layout;
    moat_methods = *methods;
    moat_altstack_choose(options->altstack);
    moat_copies_on_left = moat_left_by_copy;
    moat_trap_serve_copies();
    moat_preempt_serve();
    moat_syscalls_serve();
    engine.policy.free_bytes = options->keep_free_bytes;
    engine.policy.stack_bytes = options->keep_stack_bytes;
    moat_trim_configure(&engine.policy);
    engine.source = options->source;
    engine.guard = options->guard;
    engine.deadline_signal = options->deadline_signal;
    engine.flags = options->flags;
    engine.altstack = options->altstack;
    atomic_store(&engine.ready, true);
    return MOAT_OK;
}

static moat_status init(const moat_engine_options *asked)
{
    moat_engine_options options;
    struct moat_methods methods;
    moat_status status;

    /* Nothing is tried again. */
    if (asked == NULL && atomic_load(&engine.ready))
        return MOAT_OK;
    status = resolve(asked, &options, &methods);
    if (status == MOAT_OK && moat_annotate_second_stack())
        status = moat_refuse(MOAT_E_UNSUPPORTED,
                             "another moat in this process was built with "
                             "another sanitizer");
    /* These ask the C library, which has locks of its own: before ours. */
    if (status == MOAT_OK)
        status = moat_fork_handle();
    if (status == MOAT_OK)
        status = moat_locks_prepare();
    if (status == MOAT_OK)
        status = moat_leaks_prepare();
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
    moat_status status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    status = init(asked);
    moat_sealed_end();
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

/* The signal of a call that is dispatched or refused. */
moat_status moat_engine_need_calls(void)
{
    moat_status status = moat_engine_ready();

    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    status = moat_chain_install(SIGSYS, moat_trap_on_signal, false);
    moat_engine_unlock();
    return status;
}

moat_status moat_engine_need_syscalls(const moat_syscall_policy *policy)
{
    const struct moat_filter_scope scope = moat_syscalls_scope(policy);
    moat_status status = moat_engine_need_calls();

    if (status == MOAT_OK)
        status = moat_filter_arm(&scope);
    /* A guest that asks may have another one itself. */
    if (status == MOAT_OK)
        moat_filter_keep(moat_running());
    return status;
}

static moat_status check(void)
{
    moat_status status;

    if (!atomic_load(&engine.ready))
        return MOAT_E_STATE;
    status = moat_left_check();
    if (status == MOAT_OK)
        status = moat_trap_check();
    if (status == MOAT_OK)
        status = moat_mask_check();
    if (status == MOAT_OK)
        status = moat_deadline_check();
    if (status == MOAT_OK)
        status = moat_chain_check(SIGSYS);
    if (status == MOAT_OK)
        status = moat_filter_check();
    return status == MOAT_OK ? moat_altstack_check() : status;
}

moat_status moat_engine_check(void)
{
    unsigned char filter = moat_filter_pause();
    moat_status status = check();

    moat_filter_restore(filter);
    return status;
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
    moat_status syscalls = moat_chain_remove(SIGSYS);

    moat_switch_shut_down();
    moat_copies_note(NULL);
    atomic_store(&engine.ready, false);
    moat_fork_unwatch();
    moat_thread_forget_all();
    moat_arena_release_all();
    moat_lent_release_all();
    moat_heap_regions_release();
    if (trap == MOAT_OK)
        trap = deadline;
    return trap != MOAT_OK ? trap : syscalls;
}

moat_status moat_engine_shutdown(void)
{
    moat_status status;

    if (!atomic_load(&engine.ready))
        return MOAT_OK;
    if (moat_running() != NULL)
        return MOAT_E_STATE;
    moat_engine_lock();
    status = may_shut_down();
    moat_engine_unlock();
    if (status != MOAT_OK)
        return status;
    moat_copies_note(moat_altstack_own());
    status = moat_thread_detach();
    if (status != MOAT_OK)
        return status;
    moat_engine_lock();
    status = may_shut_down();
    if (status == MOAT_OK)
        status = tear_down();
    moat_engine_unlock();
    return status;
}

/* --- trim ---------------------------------------------------------------- */

moat_status moat_engine_trim(size_t keep_bytes, size_t *released)
{
    struct moat_thread *thread = moat_thread_self();
    struct moat_pool orphans = {NULL};
    size_t bytes = 0;
    moat_status status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    if (thread != NULL) {
        moat_copied_compact(&thread->copied);
        moat_thread_drop_spares(thread);
        moat_pool_empty(&thread->pool);
    }
    moat_thread_adopt(&orphans);
    moat_pool_drain(&orphans);
    status = moat_trim(keep_bytes, &bytes);
    moat_sealed_end();
    if (released != NULL)
        *released = bytes;
    return status;
}

/* --- info ---------------------------------------------------------------- */

/* The struct as it was first: later fields were appended. */
#define OLDEST_INFO_BYTES offsetof(moat_engine_info, source)

static void describe(const moat_engine_options *chosen,
                     const struct moat_methods *methods, moat_engine_info *info)
{
    info->guard = chosen->guard;
    info->guards_by_madvise = chosen->guard == MOAT_GUARD_MADVISE;
    info->deadline_signal = chosen->deadline_signal;
    info->source = chosen->source->name;
    info->pagemap_scan = methods->scan;
    info->process_madvise = methods->batch;
}

/* Describes the choices that an init would make: asks the system. */
static void describe_defaults(moat_engine_info *info)
{
    moat_engine_options chosen;
    struct moat_methods methods;

    if (resolve(NULL, &chosen, &methods) == MOAT_OK)
        describe(&chosen, &methods, info);
}

/* Under the engine's lock. */
static void describe_engine(moat_engine_info *info)
{
    const moat_engine_options chosen = {
        .guard = engine.guard,
        .deadline_signal = engine.deadline_signal,
        .source = engine.source,
    };

    if (atomic_load(&engine.ready))
        describe(&chosen, &moat_methods, info);
    info->live = moat_thread_live_total();
}

/* Of this thread. */
static void describe_copied(moat_engine_info *info)
{
    const struct moat_thread *thread = moat_thread_self();

    if (thread == NULL)
        return;
    info->copied_away = thread->copied.away;
    info->copied_bytes = thread->copied.area.image_bytes;
    info->copied_mapped_bytes = thread->copied.area.mapped_bytes;
}

moat_status moat_engine_get_info(moat_engine_info *out)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_status status;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    status = moat_options_check_out(out, OLDEST_INFO_BYTES);
    if (status != MOAT_OK)
        return status;
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    if (!atomic_load(&engine.ready))
        describe_defaults(&info);
    moat_engine_lock();
    describe_engine(&info);
    moat_engine_unlock();
    describe_copied(&info);
    info.pagemap = moat_pagemap_works();
    info.symbolise_lines = moat_lines_available();
    info.page_bytes = moat_page_bytes();
    info.signal_stack_bytes = moat_altstack_bytes();
    info.switch_backend = MOAT_SWITCH_NAME;
    info.arch = MOAT_ARCH_NAME;
    moat_sealed_end();
    moat_options_copy_out(out, &info, sizeof info);
    return MOAT_OK;
}
