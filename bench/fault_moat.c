/*
 * fault_moat.c: traps in moat's coroutines, each up to the next run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "bench/bench.h"
#include "bench/fault.h"

static void *null_guest(moat_co *self, void *input)
{
    (void)self;
    store_at(0);
    return input;
}

static void *overflow_guest(moat_co *self, void *input)
{
    const moat_stack_info *stack = moat_co_user(self);

    walk_down((uintptr_t)__builtin_frame_address(0), stack->limit);
    return input;
}

static moat_co *make(moat_entry guest, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = STACK_BYTES;
    options.user = user;
    if (moat_co_create(&co, guest, &options) != MOAT_OK)
        bench_stop("moat_co_create");
    return co;
}

static void trap_once(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP)
        bench_stop("moat_co_resume");
}

static uint64_t run_reset(moat_entry guest, size_t count)
{
    moat_stack_info stack;
    moat_co *co = make(guest, &stack);

    if (moat_co_stack_info(co, &stack) != MOAT_OK)
        bench_stop("moat_co_stack_info");
    for (size_t i = 0; i < count; i++) {
        trap_once(co);
        if (moat_co_reset(co) != MOAT_OK)
            bench_stop("moat_co_reset");
    }
    moat_co_destroy(co);
    return count;
}

uint64_t fault_moat_null(size_t count)
{
    return run_reset(null_guest, count);
}

uint64_t fault_moat_overflow(size_t count)
{
    return run_reset(overflow_guest, count);
}

uint64_t fault_moat_recreate(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        moat_co *co = make(null_guest, NULL);

        trap_once(co);
        moat_co_destroy(co);
    }
    return count;
}
