/*
 * test_limits.c: limits as arguments. tests/fault checks that they hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include <moat/moat.h>

#include "support/fixture.h"

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static size_t live(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    return info.live;
}

static moat_status create_with(const moat_limits *limits, moat_co **out)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.limits = limits;
    *out = NULL;
    return moat_co_create(out, echo, &options);
}

static void expect_refused(const moat_limits *limits, moat_status status)
{
    moat_co *co;

    EXPECT_EQ(create_with(limits, &co), status);
    EXPECT(co == NULL);
    EXPECT_EQ(live(), 0);
}

static void the_initialiser_asks_for_nothing(const void *arg)
{
    const moat_limits limits = MOAT_LIMITS_INIT;
    moat_limits zero;

    (void)arg;
    memset(&zero, 0, sizeof zero);
    zero.struct_size = sizeof zero;
    EXPECT(memcmp(&limits, &zero, sizeof zero) == 0);
}

static void what_cannot_be_enforced_is_refused(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.slice_ns = 1;
    expect_refused(&limits, MOAT_E_INVAL);
    limits = (moat_limits)MOAT_LIMITS_INIT;
    limits.struct_size = offsetof(moat_limits, total_wall_ns) - 1;
    expect_refused(&limits, MOAT_E_INVAL);
}

static void limits_are_copied(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.wall_ns = (uint64_t)3600 * 1000000000;
    REQUIRE(create_with(&limits, &co) == MOAT_OK);
    memset(&limits, 0xee, sizeof limits);
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(moat_co_resume(co, &event, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(event.value, &event);
    }
    moat_co_destroy(co);
}

static void limits_survive_a_reset_and_end_with_the_coroutine(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co, *again;
    moat_event event;

    (void)arg;
    limits.resume_cpu_ns = (uint64_t)3600 * 1000000000;
    REQUIRE(create_with(&limits, &co) == MOAT_OK);
    /* A limited coroutine's token differs from its thread's, and is even unless
     * its time is added up or a sanitizer is at work. */
    EXPECT(co->token % MOAT_TOKEN_STEP != 0);
    EXPECT_EQ(co->token % 2, UNDER_ASAN || UNDER_TSAN ? 1 : 0);
    EXPECT_EQ(moat_co_resume(co, &event, &event), MOAT_OK);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(co->token % 2, UNDER_ASAN || UNDER_TSAN ? 1 : 0);
    moat_co_destroy(co);
    REQUIRE(create_with(NULL, &again) == MOAT_OK);
    EXPECT(again == co);
    EXPECT_EQ(moat_co_resume(again, &event, &event), MOAT_OK);
    EXPECT_EQ(event.value, &event);
    moat_co_destroy(again);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(the_initialiser_asks_for_nothing),
        CHILD_CASE(what_cannot_be_enforced_is_refused),
        CHILD_CASE(limits_are_copied),
        CHILD_CASE(limits_survive_a_reset_and_end_with_the_coroutine),
    };

    return child_cases_run("limits", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
