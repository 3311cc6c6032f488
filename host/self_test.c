/*
 * self_test.c: the guests of `moat doctor`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "self_test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The faults are intentional, so sanitizers must not report them. */
#define ON_PURPOSE \
    __attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

#define LOOP_NS    ((uint64_t)20 * 1000 * 1000)
#define FRAMES_MAX 4000

ON_PURPOSE static unsigned descend(unsigned depth)
{
    volatile char frame[256];

    frame[0] = (char)depth;
    if (depth == UINT32_MAX)
        return 0;
    return descend(depth + 1) + (unsigned)frame[0];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    return (char *)input + descend(0);
}

ON_PURPOSE static void *null_write(moat_co *self, void *input)
{
    volatile int *volatile nowhere = NULL;

    (void)self;
    *nowhere = 1;
    return input;
}

static void *loop(moat_co *self, void *input)
{
    volatile int forever = 1;

    (void)self;
    while (forever != 0)
        continue;
    return input;
}

static const struct self_test all[] = {
    {"stack overflow", MOAT_TRAP_STACK_OVERFLOW, overflow, false, "", 0},
    {"write to address 0", MOAT_TRAP_NULL, null_write, false, "", 0},
    {"endless loop", MOAT_TRAP_DEADLINE, loop, false, "", 0}};

const size_t self_test_count = sizeof(all) / sizeof(all[0]);

static void judge(struct self_test *test, const moat_co *co)
{
    static moat_frame frames[FRAMES_MAX]; /* doctor has one thread */
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(co, &info) != MOAT_OK)
        return;
    test->contained = info.kind == test->expected;
    moat_co_backtrace(co, frames, FRAMES_MAX, &test->frames);
    snprintf(test->outcome, sizeof(test->outcome), "%s: %s, %zu frames",
             test->contained ? "contained" : "wrong trap",
             moat_trap_kind_str(info.kind), test->frames);
}

static void run(struct self_test *test)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event = {.kind = MOAT_EVENT_RETURN};
    moat_status status;
    moat_co *co;

    if (test->expected == MOAT_TRAP_DEADLINE)
        limits.resume_cpu_ns = LOOP_NS;
    options.stack_bytes = (size_t)64 * 1024;
    options.limits = &limits;
    options.name = test->name;
    status = moat_co_create(&co, test->guest, &options);
    if (status != MOAT_OK) {
        snprintf(test->outcome, sizeof(test->outcome), "not run: %s",
                 moat_status_name(status));
        return;
    }
    status = moat_co_resume(co, NULL, &event);
    snprintf(test->outcome, sizeof(test->outcome), "no trap: %s",
             moat_status_name(status));
    if (status == MOAT_OK && event.kind == MOAT_EVENT_TRAP)
        judge(test, co);
    moat_co_destroy(co);
}

bool self_test_run(struct self_test *tests)
{
    bool all_contained = true;

    memcpy(tests, all, sizeof(all));
    for (size_t i = 0; i < self_test_count; i++) {
        run(&tests[i]);
        all_contained &= tests[i].contained;
    }
    return all_contained;
}
