/*
 * test_misuse.c: an illegal call returns its status and changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

/* The content of an event before a call that must not write it. */
static moat_event untouched_event(void)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC,
                        .value = (void *)(uintptr_t)0x5151};

    return event;
}

#define EXPECT_UNTOUCHED(event)                    \
    do {                                           \
        EXPECT_EQ((event).kind, MOAT_EVENT_PANIC); \
        EXPECT_EQ((event).value, 0x5151);          \
    } while (0)

/* ---- Guests ---- */

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *return_at_once(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static moat_co *create_in(moat_entry entry, moat_event_kind kind)
{
    moat_co *co = create(entry);
    moat_event event = untouched_event();

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    REQUIRE(event.kind == kind);
    return co;
}

/* The coroutine is intact and suspended. */
static void expect_echo(moat_co *co)
{
    moat_event event = untouched_event();

    EXPECT_EQ(moat_co_resume(co, &event, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(event.value, &event);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
}

static void expect_refused_resume(moat_co *co, moat_status status)
{
    moat_event event = untouched_event();
    moat_co_state state = moat_co_get_state(co);
    moat_co *current = moat_co_current();

    EXPECT_EQ(moat_co_resume(co, NULL, &event), status);
    EXPECT_UNTOUCHED(event);
    EXPECT_EQ(moat_co_get_state(co), state);
    EXPECT_EQ(moat_co_current(), current);
}

/* ---- States ---- */

static void resume_of_a_done_coroutine_is_refused(const void *arg)
{
    moat_co *co = create_in(return_at_once, MOAT_EVENT_RETURN);

    (void)arg;
    expect_refused_resume(co, MOAT_E_STATE);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
}

static void resume_of_a_trapped_coroutine_is_refused(const void *arg)
{
    moat_co *co = create_in(fault, MOAT_EVENT_TRAP);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)arg;
    expect_refused_resume(co, MOAT_E_STATE);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_NULL);
    moat_co_destroy(co);
}

/* Every operation that is illegal on a running coroutine or on one that has
 * resumed another. */
static void expect_all_refused(moat_co *co, moat_co_state state)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_stack_info stack = {1, 2, 3, 4, 5};
    moat_frame frames[4];
    size_t count = 99;

    EXPECT_EQ(moat_co_get_state(co), state);
    expect_refused_resume(co, MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(co), MOAT_E_STATE);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_E_STATE);
    EXPECT_EQ(info.kind, MOAT_TRAP_NONE);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_E_STATE);
    EXPECT_EQ(stack.base, 1);
    EXPECT_EQ(moat_co_backtrace(co, frames, 4, &count), MOAT_E_STATE);
    EXPECT_EQ(count, 99);
    EXPECT_EQ(moat_co_print_report(co, STDERR_FILENO), MOAT_E_STATE);
    EXPECT_EQ(moat_co_write_json(co, STDERR_FILENO), MOAT_E_STATE);
    EXPECT_EQ(moat_co_write_core(co, STDERR_FILENO), MOAT_E_STATE);
#ifdef NDEBUG
    moat_co_destroy(co);
#endif
    EXPECT_EQ(moat_co_get_state(co), state);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE);
}

static void *misuse_itself(moat_co *self, void *input)
{
    expect_all_refused(self, MOAT_CO_RUNNING);
    return moat_co_yield(self, input);
}

static void a_running_coroutine_cannot_be_misused(const void *arg)
{
    moat_co *co = create_in(misuse_itself, MOAT_EVENT_YIELD);
    moat_event event = untouched_event();

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, co);
    moat_co_destroy(co);
}

static void *misuse_resumer(moat_co *self, void *input)
{
    moat_co *resumer = input;

    EXPECT_EQ(moat_co_current(), self);
    expect_all_refused(resumer, MOAT_CO_RESUMING);
    EXPECT_EQ(moat_co_yield(resumer, resumer), NULL);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    return input;
}

static void *resume_a_misuser(moat_co *self, void *input)
{
    moat_event event = untouched_event();
    moat_co *inner = create(misuse_resumer);

    EXPECT_EQ(moat_co_resume(inner, self, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, self);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    moat_co_destroy(inner);
    return input;
}

static void a_resuming_coroutine_cannot_be_misused(const void *arg)
{
    moat_co *co = create_in(resume_a_misuser, MOAT_EVENT_RETURN);

    (void)arg;
    moat_co_destroy(co);
}

static void trap_calls_want_a_trapped_coroutine(const void *arg)
{
    moat_co *fresh = create(echo);
    moat_co *suspended = create_in(echo, MOAT_EVENT_YIELD);
    moat_co *done = create_in(return_at_once, MOAT_EVENT_RETURN);
    moat_co *const each[] = {fresh, suspended, done};
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(moat_co_trap_info(each[i], &info), MOAT_E_STATE);
        EXPECT_EQ(info.kind, MOAT_TRAP_NONE);
        EXPECT_EQ(moat_co_print_report(each[i], STDERR_FILENO), MOAT_E_STATE);
        EXPECT_EQ(moat_co_write_json(each[i], STDERR_FILENO), MOAT_E_STATE);
        EXPECT_EQ(moat_co_write_core(each[i], STDERR_FILENO), MOAT_E_STATE);
        moat_co_destroy(each[i]);
    }
}

/* ---- yield ---- */

static void yield_outside_a_coroutine_has_no_effect(const void *arg)
{
    moat_co *co = create_in(echo, MOAT_EVENT_YIELD);

    (void)arg;
    EXPECT_EQ(moat_co_yield(co, co), NULL);
    EXPECT_EQ(moat_co_yield(NULL, co), NULL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_current(), NULL);
    expect_echo(co);
    moat_co_destroy(co);
}

static void *yield_for_another(moat_co *self, void *input)
{
    moat_co *other = input;

    EXPECT_EQ(moat_co_yield(other, self), NULL);
    EXPECT_EQ(moat_co_yield(NULL, self), NULL);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    return self;
}

static void yield_with_anothers_self_has_no_effect(const void *arg)
{
    moat_co *other = create_in(echo, MOAT_EVENT_YIELD);
    moat_co *co = create(yield_for_another);
    moat_event event = untouched_event();

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, other, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, co);
    expect_echo(other);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- NULL ---- */

static void null_to_coroutine_calls_is_refused(const void *arg)
{
    moat_event event = untouched_event();
    moat_co *co = NULL;

    (void)arg;
    EXPECT_EQ(moat_co_create(NULL, echo, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create(&co, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(co, NULL);
    EXPECT_EQ(moat_co_resume(NULL, NULL, &event), MOAT_E_INVAL);
    EXPECT_UNTOUCHED(event);
    co = create(echo);
    EXPECT_EQ(moat_co_resume(co, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT_EQ(moat_co_reset(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_get_state(NULL), MOAT_CO_INVALID);
    EXPECT_EQ(moat_co_user(NULL), NULL);
    EXPECT_STR(moat_co_name(NULL), "");
    moat_co_destroy(NULL);
    expect_echo(co);
    moat_co_destroy(co);
}

static void null_to_the_other_calls_is_refused(const void *arg)
{
    moat_co *co = create_in(fault, MOAT_EVENT_TRAP);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_stack_info stack = {1, 2, 3, 4, 5};
    moat_frame frames[2];
    size_t count = 99;

    (void)arg;
    EXPECT_EQ(moat_co_trap_info(NULL, &info), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_trap_info(co, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_bounds(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_bounds(&stack), MOAT_E_STATE);
    EXPECT_EQ(moat_co_stack_info(NULL, &stack), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_stack_info(co, NULL), MOAT_E_INVAL);
    EXPECT_EQ(stack.base, 1);
    EXPECT_EQ(moat_co_defer(NULL, free, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_defer(co, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_backtrace(NULL, 2, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_backtrace(frames, 2, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_backtrace(co, NULL, 2, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_backtrace(co, frames, 2, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_backtrace(NULL, frames, 2, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_print_report(NULL, 2), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_print_report(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_write_json(NULL, 2), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_write_core(NULL, 2), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_write_json(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_write_core(co, -1), MOAT_E_INVAL);
    EXPECT_EQ(moat_engine_get_info(NULL), MOAT_E_INVAL);
    EXPECT_EQ(count, 99);
    moat_co_destroy(co);
}

static void null_to_frame_describe_is_refused(const void *arg)
{
    moat_frame frame;
    char text[8] = "as was";

    (void)arg;
    memset(&frame, 0, sizeof(frame));
    EXPECT_EQ(moat_frame_describe(NULL, text, sizeof(text)), MOAT_E_INVAL);
    EXPECT_EQ(moat_frame_describe(&frame, NULL, 8), MOAT_E_INVAL);
    EXPECT_EQ(moat_frame_describe(&frame, text, 0), MOAT_E_INVAL);
    EXPECT_STR(text, "as was");
}

/* ---- Sizes and options ---- */

static void expect_refused_options(const moat_co_options *options,
                                   moat_status status)
{
    moat_co *co = (moat_co *)(uintptr_t)0x5150;

    EXPECT_EQ(moat_co_create(&co, echo, options), status);
    EXPECT_EQ(co, 0x5150);
}

static void absurd_stack_sizes_are_refused(const void *arg)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2,
                                   ((size_t)64 << 30) + 1};

    (void)arg;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        moat_co_options options = MOAT_CO_OPTIONS_INIT;

        expect_context("size %zx", sizes[i]);
        options.stack_bytes = sizes[i];
        expect_refused_options(&options, MOAT_E_INVAL);
        options.stack_bytes = 0;
        options.guard_bytes = sizes[i];
        expect_refused_options(&options, MOAT_E_INVAL);
    }
}

static void stack_sizes_are_rounded_up_to_pages(const void *arg)
{
    static const size_t sizes[] = {4096, 4097, 65536, 100000, (size_t)3 << 20};

    (void)arg;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        moat_co_options options = MOAT_CO_OPTIONS_INIT;
        moat_stack_info stack = {0, 0, 0, 0, 0};
        moat_co *co = NULL;

        expect_context("size %zu", sizes[i]);
        options.stack_bytes = sizes[i];
        REQUIRE(moat_co_create(&co, return_at_once, &options) == MOAT_OK);
        EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
        EXPECT(stack.base - stack.limit >= sizes[i]);
        EXPECT(stack.limit - stack.guard >= 65536);
        EXPECT_EQ(stack.limit % 4096, 0);
        EXPECT_EQ(stack.guard % 4096, 0);
        moat_co_destroy(co);
    }
}

/* One byte is less than the minimum. */
static void a_stack_of_one_byte_is_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)arg;
    options.stack_bytes = 1;
    expect_refused_options(&options, MOAT_E_INVAL);
    options.stack_bytes = 4095;
    expect_refused_options(&options, MOAT_E_INVAL);
}

static void a_guard_of_one_byte_is_a_page(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_stack_info stack = {0, 0, 0, 0, 0};
    moat_co *co = NULL;

    (void)arg;
    options.guard_bytes = 1;
    REQUIRE(moat_co_create(&co, echo, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT(stack.limit - stack.guard >= 4096);
    moat_co_destroy(co);
}

static void unknown_flags_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)arg;
    options.flags = MOAT_CO_SCRUB_MASK;
    expect_refused_options(&options, MOAT_E_INVAL);
    options.flags = (uint64_t)1 << 40;
    expect_refused_options(&options, MOAT_E_INVAL);
}

/* The struct of a later version: the known fields, followed by more. */
struct later_options {
    moat_co_options known;
    unsigned char more[24];
};

static void option_structs_of_other_versions(const void *arg)
{
    struct later_options later = {MOAT_CO_OPTIONS_INIT, {0}};
    moat_co *co = NULL;

    (void)arg;
    later.known.struct_size = 0;
    expect_refused_options(&later.known, MOAT_E_INVAL);
    later.known.struct_size = 7;
    expect_refused_options(&later.known, MOAT_E_INVAL);
    later.known.struct_size = sizeof(later);
    later.more[23] = 1;
    expect_refused_options(&later.known, MOAT_E_UNSUPPORTED);
    later.more[23] = 0;
    REQUIRE(moat_co_create(&co, echo, &later.known) == MOAT_OK);
    expect_echo(co);
    moat_co_destroy(co);
}

static void limits_without_a_meaning_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    options.limits = &limits;
    limits.slice_ns = 1;
    expect_refused_options(&options, MOAT_E_INVAL);
    limits.slice_ns = 0;
    limits.struct_size = 0;
    expect_refused_options(&options, MOAT_E_INVAL);
}

static void *outstay_with_sections(moat_co *self, void *input)
{
    struct timespec now, end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 1;
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec ||
             (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    moat_notrap_enter();
    moat_notrap_leave();
    return input;
}

/* ThreadSanitizer passes the handler a copy of the context. Changing it would
 * not stop the guest, which would continue although it counts as trapped. */
static void a_guest_that_a_handler_cannot_cut_is_cut_by_a_call(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.wall_ns = 10000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, outstay_with_sections, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

struct later_info {
    moat_trap_info known;
    unsigned char more[24];
    unsigned char behind; /* not in the struct */
};

static void trap_info_of_another_version(const void *arg)
{
    moat_co *co = create_in(fault, MOAT_EVENT_TRAP);
    struct later_info later;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)arg;
    memset(&info, 0x5a, sizeof(info));
    info.struct_size = offsetof(moat_trap_info, user_code);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(info.user_code, 0x5a5a5a5a);
    memset(&later, 0x5a, sizeof(later));
    later.known.struct_size = offsetof(struct later_info, behind);
    EXPECT_EQ(moat_co_trap_info(co, &later.known), MOAT_OK);
    EXPECT_EQ(later.known.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(later.known.struct_size, sizeof(later.known));
    EXPECT_EQ(later.more[0], 0);
    EXPECT_EQ(later.more[23], 0);
    EXPECT_EQ(later.behind, 0x5a);
    moat_co_destroy(co);
}

/* Sizes that no header had: none was set, or it is garbage. */
static const size_t wrong_sizes[] = {
    0, sizeof(size_t), offsetof(moat_trap_info, user_code) - 1, 4097, SIZE_MAX};

static bool is_untouched(const void *result, size_t bytes)
{
    const unsigned char *at = result;

    for (size_t i = sizeof(size_t); i < bytes; i++)
        if (at[i] != 0x5a)
            return false;
    return true;
}

static void fault_in_call(void *arg)
{
    *(volatile char *)arg = 1;
}

static void *notrap_call_with_wrong_sizes(moat_co *self, void *input)
{
    (void)self;
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof wrong_sizes[0]; i++) {
        moat_trap_info info;

        memset(&info, 0x5a, sizeof info);
        info.struct_size = wrong_sizes[i];
        EXPECT_EQ(moat_notrap_call(fault_in_call, NULL, &info), MOAT_E_INVAL);
        EXPECT(is_untouched(&info, sizeof info));
    }
    return input;
}

static void results_without_a_size_are_refused(const void *arg)
{
    moat_co *co = create_in(fault, MOAT_EVENT_TRAP), *caller;
    moat_event event;

    (void)arg;
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof wrong_sizes[0]; i++) {
        moat_trap_info trap;
        moat_engine_info engine;

        memset(&trap, 0x5a, sizeof trap);
        memset(&engine, 0x5a, sizeof engine);
        trap.struct_size = engine.struct_size = wrong_sizes[i];
        if (wrong_sizes[i] > offsetof(moat_engine_info, source) &&
            wrong_sizes[i] <= 4096)
            engine.struct_size = offsetof(moat_engine_info, source) - 1;
        EXPECT_EQ(moat_co_trap_info(co, &trap), MOAT_E_INVAL);
        EXPECT_EQ(moat_engine_get_info(&engine), MOAT_E_INVAL);
        EXPECT(is_untouched(&trap, sizeof trap));
        EXPECT(is_untouched(&engine, sizeof engine));
    }
    moat_co_destroy(co);
    REQUIRE(moat_co_create(&caller, notrap_call_with_wrong_sizes, NULL) ==
            MOAT_OK);
    EXPECT_EQ(moat_co_resume(caller, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(caller);
}

/* Returns a source other than the one in use, which the environment may have
 * chosen. */
static const moat_source *another_source(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    return strcmp(info.source, "manual") == 0 ? MOAT_SOURCE_SIGACTION
                                              : MOAT_SOURCE_MANUAL;
}

static void engine_options_are_checked(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    options.struct_size = 0;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_INVAL);
    options.struct_size = sizeof(options);
    options.deadline_signal = 1000;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_INVAL);
    options.deadline_signal = -1;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_INVAL);
    options.deadline_signal = 0;
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    options.source = another_source();
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

/* ---- Other threads' coroutines ---- */

static void *misuse_from_elsewhere(void *arg)
{
    moat_co *co = arg;
    moat_frame frames[4];
    size_t count = 99;

    REQUIRE(moat_thread_attach() == MOAT_OK);
    expect_refused_resume(co, MOAT_E_THREAD);
    EXPECT_EQ(moat_co_reset(co), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_defer(co, free, NULL), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_backtrace(co, frames, 4, &count), MOAT_E_THREAD);
    EXPECT_EQ(count, 99);
#ifdef NDEBUG
    moat_co_destroy(co);
#endif
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void another_threads_coroutine_cannot_be_misused(const void *arg)
{
    moat_co *co = create_in(echo, MOAT_EVENT_YIELD);
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, misuse_from_elsewhere, co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    expect_echo(co);
    moat_co_destroy(co);
}

static void *unattached_misuse(void *arg)
{
    expect_refused_resume(arg, MOAT_E_THREAD);
    EXPECT_EQ(moat_co_reset(arg), MOAT_E_THREAD);
    return NULL;
}

static void an_unattached_thread_is_another_thread(const void *arg)
{
    moat_co *co = create_in(echo, MOAT_EVENT_YIELD);
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, unattached_misuse, co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    expect_echo(co);
    moat_co_destroy(co);
}

static void *reports_from_elsewhere(void *arg)
{
    EXPECT_EQ(moat_co_print_report(arg, STDERR_FILENO), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_write_json(arg, STDERR_FILENO), MOAT_E_THREAD);
    EXPECT_EQ(moat_co_write_core(arg, STDERR_FILENO), MOAT_E_THREAD);
    return NULL;
}

static void another_threads_trap_cannot_be_reported(const void *arg)
{
    moat_co *co = create_in(fault, MOAT_EVENT_TRAP);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, reports_from_elsewhere, co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    moat_co_destroy(co);
}

static void *leave_one_behind(void *out)
{
    *(moat_co **)out = create_in(echo, MOAT_EVENT_YIELD);
    return NULL;
}

static void a_dead_threads_coroutine_can_only_be_destroyed(const void *arg)
{
    moat_co *co = NULL;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, leave_one_behind, &co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE(co != NULL);
    expect_refused_resume(co, MOAT_E_THREAD);
    EXPECT_EQ(moat_co_reset(co), MOAT_E_THREAD);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Engine and threads ---- */

static void shutdown_with_a_live_coroutine_is_refused(const void *arg)
{
    moat_co *co = create_in(echo, MOAT_EVENT_YIELD);

    (void)arg;
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    expect_echo(co);
    moat_co_destroy(co);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void the_count_of_live_coroutines_is_right(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_co *co[5];

    (void)arg;
    for (size_t i = 0; i < 5; i++)
        co[i] = create(echo);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 5);
    for (size_t i = 0; i < 5; i++)
        moat_co_destroy(co[i]);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 0);
}

/* A coroutine may be reset and destroyed at any point of its run. */
static void *reset_a_sibling(moat_co *self, void *input)
{
    moat_co *sibling = input;

    EXPECT_EQ(moat_co_reset(sibling), MOAT_OK);
    EXPECT_EQ(moat_co_get_state(sibling), MOAT_CO_FRESH);
    moat_co_destroy(sibling);
    return self;
}

static void a_guest_may_reset_and_destroy_a_sibling(const void *arg)
{
    moat_co *sibling = create_in(echo, MOAT_EVENT_YIELD);
    moat_co *co = create(reset_a_sibling);
    moat_event event = untouched_event();

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, sibling, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(resume_of_a_done_coroutine_is_refused),
    CHILD_CASE(resume_of_a_trapped_coroutine_is_refused),
    CHILD_CASE(a_running_coroutine_cannot_be_misused),
    CHILD_CASE(a_resuming_coroutine_cannot_be_misused),
    CHILD_CASE(trap_calls_want_a_trapped_coroutine),
    CHILD_CASE(yield_outside_a_coroutine_has_no_effect),
    CHILD_CASE(yield_with_anothers_self_has_no_effect),
    CHILD_CASE(null_to_coroutine_calls_is_refused),
    CHILD_CASE(null_to_the_other_calls_is_refused),
    CHILD_CASE(null_to_frame_describe_is_refused),
    CHILD_CASE(absurd_stack_sizes_are_refused),
    CHILD_CASE(stack_sizes_are_rounded_up_to_pages),
    CHILD_CASE(a_stack_of_one_byte_is_refused),
    CHILD_CASE(a_guard_of_one_byte_is_a_page),
    CHILD_CASE(unknown_flags_are_refused),
    CHILD_CASE(option_structs_of_other_versions),
    CHILD_CASE(limits_without_a_meaning_are_refused),
    CHILD_CASE(a_guest_that_a_handler_cannot_cut_is_cut_by_a_call),
    CHILD_CASE(trap_info_of_another_version),
    CHILD_CASE(results_without_a_size_are_refused),
    CHILD_CASE(engine_options_are_checked),
    CHILD_CASE(another_threads_coroutine_cannot_be_misused),
    CHILD_CASE(an_unattached_thread_is_another_thread),
    CHILD_CASE(another_threads_trap_cannot_be_reported),
    CHILD_CASE(a_dead_threads_coroutine_can_only_be_destroyed),
    CHILD_CASE(shutdown_with_a_live_coroutine_is_refused),
    CHILD_CASE(the_count_of_live_coroutines_is_right),
    CHILD_CASE(a_guest_may_reset_and_destroy_a_sibling),
};

int main(int argc, char **argv)
{
    return child_cases_run("misuse changes nothing", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
