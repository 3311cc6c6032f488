/*
 * test_copied_rules.c: what docs/stacks.md says of coroutines that take turns
 * on one stack (MOAT_STACK_COPIED), besides that they work (test_copied.c):
 * frames of each length, what cannot be done while another one runs, a lack of
 * memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

static moat_co *create_with(moat_entry entry, void *user,
                            const moat_limits *limits)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_kind = MOAT_STACK_COPIED;
    options.user = user;
    options.limits = limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry)
{
    return create_with(entry, NULL, NULL);
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL, NULL};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static moat_engine_info info(void)
{
    moat_engine_info out = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&out) == MOAT_OK);
    return out;
}

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

/* ---- Frames of each length ---- */

/* Each byte of its frame stays what it was. */
static void *keep_bytes(moat_co *self, void *input)
{
    size_t bytes = *(const size_t *)moat_co_user(self);
    volatile unsigned char *room = __builtin_alloca(bytes + 1);
    unsigned char mark = (unsigned char)(uintptr_t)input;

    for (;; mark++) {
        for (size_t i = 0; i < bytes; i++)
            room[i] = (unsigned char)(mark + i * 7);
        (void)moat_co_yield(self, NULL);
        for (size_t i = 0; i < bytes; i++)
            EXPECT_EQ(room[i], (unsigned char)(mark + i * 7));
    }
    return NULL;
}

/* Three that wait in the same place, and one whose frames are longer. */
static void take_turns(size_t bytes)
{
    size_t longer = bytes + 40;
    moat_co *cos[4];

    expect_context("%zu bytes", bytes);
    for (uintptr_t i = 0; i < 4; i++) {
        cos[i] = create_with(keep_bytes, i == 3 ? &longer : &bytes, NULL);
        (void)resume(cos[i], (void *)(i * 50));
    }
    for (size_t i = 0; i < 12; i++)
        (void)resume(cos[i % 4], NULL);
    for (size_t i = 0; i < 9; i++)
        (void)resume(cos[i % 3], NULL);
    for (size_t i = 0; i < 4; i++)
        moat_co_destroy(cos[i]);
    EXPECT_EQ(info().copied_away, 0);
    EXPECT_EQ(info().copied_bytes, 0);
}

static void frames_of_each_length(const void *arg)
{
    (void)arg;
    for (size_t bytes = 0; bytes < 400; bytes += 8)
        take_turns(bytes);
    for (size_t bytes = 1000; bytes < 100000; bytes += bytes / 3)
        take_turns(bytes);
}

/* The root frame is written anew, and is in no image. */
static void an_image_is_what_is_used_less_the_root_frame(const void *arg)
{
    moat_co *co = create(echo), *other = create(echo);
    moat_stack_info stack;

    (void)arg;
    (void)resume(co, NULL);
    (void)resume(other, NULL);
    REQUIRE(info().copied_away != 0);
    REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
    EXPECT_EQ(info().copied_bytes / info().copied_away, stack.used - 176);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

__attribute__((noinline)) static void *go_deep(moat_co *self, void *input)
{
    volatile char frame[20000];

    frame[0] = 1;
    return (char *)moat_co_yield(self, input) + (frame[0] - 1);
}

static void the_high_water_mark_is_the_stacks(const void *arg)
{
    moat_co *deep = create(go_deep), *flat = create(echo);
    moat_stack_info stack;

    (void)arg;
    (void)resume(flat, NULL);
    (void)resume(deep, NULL);
    (void)resume(flat, NULL);
    REQUIRE(moat_co_stack_info(flat, &stack) == MOAT_OK);
    EXPECT(stack.used < 5000);
    EXPECT(stack.high_water > 20000);
    moat_co_destroy(deep);
    moat_co_destroy(flat);
}

/* ---- While another one runs ---- */

static void refuse(moat_status status, const char *what)
{
    expect_context("%s", what);
    EXPECT_EQ(status, MOAT_E_STATE);
    EXPECT(strstr(moat_error_detail(), "MOAT_STACK_COPIED") != NULL);
}

static void *ask_about(moat_co *self, void *input)
{
    moat_frame frames[4];
    moat_event event;
    size_t count;

    (void)self;
    refuse(moat_co_cancel(input, &event), "cancel");
    if (moat_co_backtrace(input, frames, 4, &count) != MOAT_E_UNSUPPORTED)
        refuse(moat_co_backtrace(input, frames, 4, &count), "backtrace");
    refuse(moat_co_print_report(input, STDERR_FILENO), "report");
    return NULL;
}

static void what_needs_the_frames_is_refused(const void *arg)
{
    moat_co *co = create(ask_about), *other = create(echo);

    (void)arg;
    (void)resume(other, NULL);
    EXPECT_EQ(resume(co, other).kind, MOAT_EVENT_RETURN);
    EXPECT(resume(other, other).value == other); /* nothing has changed */
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- Without memory for an image ---- */

static struct rlimit without_memory(void)
{
    struct rlimit before, none;

    REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
    none = before;
    none.rlim_cur = 1 << 20;
    REQUIRE(setrlimit(RLIMIT_AS, &none) == 0);
    return before;
}

static void *pass_to(moat_co *self, void *input)
{
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, self, &back), MOAT_OK);
    return back;
}

static void without_memory_nothing_changes(const void *arg)
{
    moat_co *co = create(go_deep), *other = create(echo);
    moat_event event;
    struct rlimit before;

    (void)arg;
    before = without_memory();
    (void)resume(co, NULL);
    EXPECT_EQ(moat_co_resume(other, NULL, &event), MOAT_E_NOMEM);
    REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
    EXPECT_EQ(moat_co_get_state(other), MOAT_CO_FRESH);
    EXPECT(resume(other, other).value == other);
    EXPECT(resume(co, co).value == co);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* It is the resume that had entered the first one which returns it. */
static void a_transfer_without_memory_suspends_both(const void *arg)
{
    moat_co *co = create(pass_to), *other = create(echo);
    moat_event event;
    struct rlimit before;

    (void)arg;
    before = without_memory();
    EXPECT_EQ(moat_co_resume(co, other, &event), MOAT_E_NOMEM);
    REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_get_state(other), MOAT_CO_FRESH);
    EXPECT(resume(other, other).value == other);
    EXPECT(resume(co, co).value == co);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- A heap of its own ---- */

static void *use_heap(moat_co *self, void *input)
{
    unsigned char *block = moat_heap_alloc(moat_co_heap(self), 1000);

    REQUIRE(block != NULL);
    memset(block, (int)(uintptr_t)input, 1000);
    (void)moat_co_yield(self, block);
    EXPECT_EQ(block[999], (uintptr_t)input);
    return NULL;
}

static void each_has_its_heap(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co, *other;

    (void)arg;
    limits.memory_bytes = 1 << 20;
    co = create_with(use_heap, NULL, &limits);
    other = create_with(use_heap, NULL, &limits);
    EXPECT(resume(co, (void *)1).value != resume(other, (void *)2).value);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(resume(other, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

#define NO_LIMIT \
    (UNDER_ASAN || UNDER_TSAN ? "the sanitizer needs address space" : NULL)
#define CASE_UNLESS(function, reason)           \
    {                                           \
#        function, function, NULL, reason, 0, 0 \
    }

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(frames_of_each_length),
        CHILD_CASE(an_image_is_what_is_used_less_the_root_frame),
        CHILD_CASE(the_high_water_mark_is_the_stacks),
        CHILD_CASE(what_needs_the_frames_is_refused),
        CASE_UNLESS(without_memory_nothing_changes, NO_LIMIT),
        CASE_UNLESS(a_transfer_without_memory_suspends_both, NO_LIMIT),
        CHILD_CASE(each_has_its_heap),
    };

    return child_cases_run("rules of copied stacks", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
