/*
 * call_moat.c: moat's coroutines, from create to destroy, each status and event
 * checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/moat.h>

#include "bench/call.h"
#include "bench/task_stack.h"

static void *guest(moat_co *self, void *input)
{
    (void)self;
    return (char *)input + 1;
}

static inline __attribute__((always_inline)) uint64_t
call(size_t number, const moat_co_options *options)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, guest, options) != MOAT_OK ||
        moat_co_resume(co, (void *)number, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        abort();
    moat_co_destroy(co);
    return (uintptr_t)event.value;
}

static uint64_t run_cached(size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += call(i, NULL);
    return sum;
}

static uint64_t run_with(size_t count, uint64_t flags)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    uint64_t sum = 0;

    options.stack_bytes = TASK_STACK_BYTES;
    options.flags = flags;
    for (size_t i = 0; i < count; i++)
        sum += call(i, &options);
    return sum;
}

static uint64_t run_sized(size_t count)
{
    return run_with(count, 0);
}

/* The pages go back to the system after each call; the guard stays. */
static uint64_t run_fresh(size_t count)
{
    return run_with(count, MOAT_CO_SCRUB_DISCARD);
}

/* Its next user finds zeros; the pages stay. */
static uint64_t run_zeroed(size_t count)
{
    return run_with(count, MOAT_CO_SCRUB_ZERO);
}

const struct call_engine call_moat = {"moat", run_cached, run_fresh, 1, 0};
const struct call_engine call_moat_sized = {"moat, with options", run_sized,
                                            NULL, 1, 0};
const struct call_engine call_moat_zeroed = {"moat, zeroed", NULL, run_zeroed,
                                             1, 0};
