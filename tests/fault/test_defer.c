/*
 * test_defer.c: deferred functions run whenever a coroutine ends, last
 * registered first, on the stack of whoever ended it. Order is proved by a
 * trace of letters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <moat/moat.h>

#include "../support/fixture.h"

static char trace[64];

/* The coroutine that runs when a deferred function does. */
static moat_co *ran_in;

static void append(void *arg)
{
    (void)strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
    ran_in = moat_co_current();
}

static void defer(moat_co *co, const char *letter)
{
    EXPECT_EQ(moat_co_defer(co, append, (void *)(uintptr_t)letter), MOAT_OK);
}

static void *yield_for_ever(moat_co *self, void *input)
{
    defer(self, "c");
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *do_return(moat_co *self, void *input)
{
    defer(self, "c");
    return input;
}

static void *do_fault(moat_co *self, void *input)
{
    defer(self, "c");
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void *do_overflow(moat_co *self, void *input)
{
    defer(self, "c");
    __asm__ volatile("1: pushq %%rax\n\tjmp 1b" : : : "memory");
    return input;
}

static void *do_raise(moat_co *self, void *input)
{
    (void)input;
    defer(self, "c");
    moat_trap_raise(3);
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    defer(co, "a");
    defer(co, "b");
    return co;
}

static moat_event_kind resume(moat_co *co)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    return event.kind;
}

/* Resumes once; the functions have run when the resume comes back, and only
 * once, and on no coroutine. */
static void expect_run_at_resume(moat_entry entry, moat_event_kind kind)
{
    moat_co *co = create(entry);

    EXPECT_STR(trace, "");
    EXPECT_EQ(resume(co), kind);
    EXPECT_STR(trace, "cba");
    EXPECT_EQ(ran_in, NULL);
    EXPECT_EQ(moat_co_defer(co, append, NULL), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_STR(trace, "cba");
    moat_co_destroy(co);
    EXPECT_STR(trace, "cba");
}

static void deferred_functions_run_after_a_return(const void *arg)
{
    (void)arg;
    expect_run_at_resume(do_return, MOAT_EVENT_RETURN);
}

static void deferred_functions_run_after_a_fault(const void *arg)
{
    (void)arg;
    expect_run_at_resume(do_fault, MOAT_EVENT_TRAP);
}

static void deferred_functions_run_after_an_overflow(const void *arg)
{
    (void)arg;
    expect_run_at_resume(do_overflow, MOAT_EVENT_TRAP);
}

static void deferred_functions_run_after_a_raise(const void *arg)
{
    (void)arg;
    expect_run_at_resume(do_raise, MOAT_EVENT_TRAP);
}

static void deferred_functions_run_at_reset(const void *arg)
{
    moat_co *co = create(yield_for_ever);

    (void)arg;
    EXPECT_EQ(resume(co), MOAT_EVENT_YIELD);
    EXPECT_STR(trace, "");
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_STR(trace, "cba");
    defer(co, "d");
    EXPECT_EQ(resume(co), MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    EXPECT_STR(trace, "cbacd");
}

/* One of the functions tries to bring its own coroutine back. */
static void revive(void *arg)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL};

    EXPECT_EQ(moat_co_resume(arg, NULL, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(arg), MOAT_E_STATE);
    EXPECT_EQ(moat_co_defer(arg, revive, arg), MOAT_E_STATE);
    EXPECT_EQ(event.kind, MOAT_EVENT_PANIC);
    append((void *)(uintptr_t) "r");
}

static void a_deferred_function_cannot_revive_its_coroutine(const void *arg)
{
    moat_co *co = create(yield_for_ever);

    (void)arg;
    EXPECT_EQ(moat_co_defer(co, revive, co), MOAT_OK);
    EXPECT_EQ(resume(co), MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_STR(trace, "crba");
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT_EQ(moat_co_defer(co, revive, co), MOAT_OK);
    moat_co_destroy(co);
    EXPECT_STR(trace, "crbar");
}

/* A limited coroutine is resumed by the library's own code, not by the inline
 * function: a yield must not pass for an end there either. */
static void
deferred_functions_wait_while_a_limited_guest_yields(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    (void)arg;
    limits.wall_ns = UINT64_C(100000000000);
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, yield_for_ever, &options) == MOAT_OK);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(resume(co), MOAT_EVENT_YIELD);
        EXPECT_STR(trace, "");
    }
    moat_co_destroy(co);
    EXPECT_STR(trace, "c");
}

static void deferred_functions_run_at_destroy(const void *arg)
{
    moat_co *co = create(yield_for_ever);

    (void)arg;
    EXPECT_EQ(resume(co), MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    EXPECT_STR(trace, "cba");
}

static void deferred_functions_of_a_fresh_coroutine_run(const void *arg)
{
    (void)arg;
    moat_co_destroy(create(yield_for_ever));
    EXPECT_STR(trace, "ba");
}

static void *own_an_inner_one(moat_co *self, void *input)
{
    moat_co *inner = create(do_fault);

    EXPECT_EQ(resume(inner), MOAT_EVENT_TRAP);
    EXPECT_STR(trace, "cba");
    EXPECT_EQ(ran_in, self);
    moat_co_destroy(inner);
    return input;
}

static void deferred_functions_run_on_the_resumers_stack(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, own_an_inner_one, NULL) == MOAT_OK);
    EXPECT_EQ(resume(co), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void many_deferred_functions_all_run(const void *arg)
{
    moat_co *co = create(do_fault);
    char expected[64] = "c";

    (void)arg;
    for (int i = 0; i < 40; i++) {
        defer(co, "x");
        (void)strcat(expected, "x");
    }
    (void)strcat(expected, "ba");
    EXPECT_EQ(resume(co), MOAT_EVENT_TRAP);
    EXPECT_STR(trace, expected);
    moat_co_destroy(co);
}

static void a_raise_is_recorded_with_its_code(const void *arg)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co = create(do_raise);

    (void)arg;
    EXPECT_EQ(resume(co), MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_RAISED);
    EXPECT_EQ(info.user_code, 3);
    EXPECT_EQ(info.signo, 0);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(deferred_functions_run_after_a_return),
    CHILD_CASE(deferred_functions_run_after_a_fault),
    CHILD_CASE(deferred_functions_run_after_an_overflow),
    CHILD_CASE(deferred_functions_run_after_a_raise),
    CHILD_CASE(deferred_functions_run_at_reset),
    CHILD_CASE(a_deferred_function_cannot_revive_its_coroutine),
    CHILD_CASE(deferred_functions_wait_while_a_limited_guest_yields),
    CHILD_CASE(deferred_functions_run_at_destroy),
    CHILD_CASE(deferred_functions_of_a_fresh_coroutine_run),
    CHILD_CASE(deferred_functions_run_on_the_resumers_stack),
    CHILD_CASE(many_deferred_functions_all_run),
    CHILD_CASE(a_raise_is_recorded_with_its_code),
};

int main(int argc, char **argv)
{
    return child_cases_run("deferred functions run in order", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
