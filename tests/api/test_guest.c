/*
 * test_guest.c: the functions by which guests and hosts examine stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "support/fixture.h"

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static moat_co *create(moat_entry entry, uint64_t flags)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.flags = flags;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void resume(moat_co *co, void *input)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    REQUIRE(event.kind != MOAT_EVENT_TRAP);
}

static moat_stack_info stack_of(const moat_co *co)
{
    moat_stack_info info;

    REQUIRE(moat_co_stack_info(co, &info) == MOAT_OK);
    return info;
}

/* ---- On the host's stack ---- */

static void the_host_has_no_guests_stack(const void *arg)
{
    moat_stack_info info;

    (void)arg;
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_E_STATE);
    EXPECT_EQ(moat_stack_bounds(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_reserve(0), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(SIZE_MAX), MOAT_OK);
}

static void sections_have_no_effect_on_the_hosts_stack(const void *arg)
{
    moat_co *co = create(echo, 0);

    (void)arg;
    moat_notrap_leave();
    moat_notrap_enter();
    resume(co, NULL);
    EXPECT(!moat_poll());
    moat_notrap_leave();
    moat_co_destroy(co);
}

/* ---- On a guest's stack ---- */

static void *compare_bounds(moat_co *self, void *input)
{
    moat_stack_info inside;

    for (;;) {
        uintptr_t here = (uintptr_t)&inside;

        EXPECT_EQ(moat_stack_bounds(&inside), MOAT_OK);
        EXPECT(here >= inside.limit && here < inside.base);
        EXPECT(inside.used <= inside.base - here + 512);
        EXPECT_EQ(inside.high_water, 0);
        *(moat_stack_info *)input = inside;
        input = moat_co_yield(self, NULL);
    }
    return NULL;
}

static void both_sides_agree_on_the_bounds(const void *arg)
{
    moat_co *co = create(compare_bounds, 0);
    moat_stack_info inside, outside;

    (void)arg;
    resume(co, &inside);
    outside = stack_of(co);
    EXPECT_EQ(inside.base, outside.base);
    EXPECT_EQ(inside.limit, outside.limit);
    EXPECT_EQ(inside.guard, outside.guard);
    EXPECT(outside.guard < outside.limit && outside.limit < outside.base);
    moat_co_destroy(co);
}

static void *reserve(moat_co *self, void *input)
{
    moat_stack_info info;

    (void)self;
    (void)input;
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(0), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(info.base - info.limit - info.used - 1024),
              MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(info.base - info.limit), MOAT_E_LIMIT);
    EXPECT_EQ(moat_stack_reserve(SIZE_MAX), MOAT_E_LIMIT);
    return NULL;
}

static void what_is_left_can_be_reserved(const void *arg)
{
    moat_co *co = create(reserve, 0);

    (void)arg;
    resume(co, NULL);
    moat_co_destroy(co);
}

/* ---- On a stopped coroutine ---- */

#define DEPTH ((size_t)100 << 10)

/* A frame of its own, because the compiler may probe all of it on entry. */
__attribute__((noinline)) static void touch(void)
{
    char deep[DEPTH];

    memset(deep, 1, sizeof deep);
    __asm__ volatile("" : : "r"(deep) : "memory");
}

static void *touch_deeply(moat_co *self, void *input)
{
    if (input != NULL)
        touch();
    return moat_co_yield(self, NULL);
}

static void the_high_water_mark_is_the_lowest_touched_page(const void *arg)
{
    moat_co *co = create(touch_deeply, MOAT_CO_SCRUB_DISCARD);
    moat_engine_info engine = MOAT_ENGINE_INFO_INIT;
    moat_stack_info info;

    (void)arg;
    REQUIRE(moat_engine_get_info(&engine) == MOAT_OK);
    if (!engine.pagemap) {
        EXPECT_EQ(moat_co_stack_info(co, &info), MOAT_E_SYSTEM);
        child_exit();
    }
    resume(co, co);
    info = stack_of(co);
    EXPECT(info.high_water >= DEPTH);
    EXPECT(info.high_water <= info.base - info.limit);
    EXPECT(info.used <= info.high_water);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    info = stack_of(co);
    EXPECT(info.high_water <= 2 * engine.page_bytes); /* the first frame's */
    resume(co, NULL);
    EXPECT(stack_of(co).high_water <= DEPTH / 2);
    moat_co_destroy(co);
}

static void a_fresh_and_a_done_stack_are_empty(const void *arg)
{
    moat_co *co = create(touch_deeply, 0);
    size_t fresh = stack_of(co).used;

    (void)arg;
    EXPECT(fresh <= 256);
    resume(co, NULL);
    EXPECT(stack_of(co).used > fresh);
    resume(co, NULL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(stack_of(co).used, 0);
    moat_co_destroy(co);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(the_host_has_no_guests_stack),
        CHILD_CASE(sections_have_no_effect_on_the_hosts_stack),
        CHILD_CASE(both_sides_agree_on_the_bounds),
        CHILD_CASE(what_is_left_can_be_reserved),
        CHILD_CASE(the_high_water_mark_is_the_lowest_touched_page),
        CHILD_CASE(a_fresh_and_a_done_stack_are_empty),
    };

    return child_cases_run("guest", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
