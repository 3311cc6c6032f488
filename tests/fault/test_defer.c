/*
 * test_defer.c: deferred functions run whenever a coroutine ends, last
 * registered first, on the stack of the code that ended it. A trace of letters
 * proves the order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <moat/moat.h>

#include "../support/fixture.h"

static char trace[64];

/* The current coroutine while a deferred function runs. */
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
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    return event.kind;
}

/* Resumes once. The functions have run when the resume returns, once only, with
 * no coroutine current. */
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

/* A deferred function that tries to revive its own coroutine. */
static void revive(void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_stack_info stack;

    EXPECT_EQ(moat_co_resume(arg, NULL, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(arg), MOAT_E_STATE);
    EXPECT_EQ(moat_co_cancel(arg, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_defer(arg, revive, arg), MOAT_E_STATE);
    EXPECT_EQ(moat_co_stack_info(arg, &stack), MOAT_OK);
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

/* A coroutine that it resumes may trap without affecting the one that is
 * ending. */
static void see_a_trap(void *arg)
{
    moat_co *other = NULL;

    REQUIRE(moat_co_create(&other, do_fault, NULL) == MOAT_OK);
    EXPECT_EQ(resume(other), MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_reset(arg), MOAT_E_STATE);
    moat_co_destroy(other);
    EXPECT_EQ(moat_co_reset(arg), MOAT_E_STATE);
    append((void *)(uintptr_t) "t");
}

static void
a_trap_seen_by_a_deferred_function_does_not_free_its_coroutine(const void *arg)
{
    moat_co *co = create(yield_for_ever);

    (void)arg;
    EXPECT_EQ(moat_co_defer(co, see_a_trap, co), MOAT_OK);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_STR(trace, "ctba");
    EXPECT_EQ(moat_co_defer(co, see_a_trap, co), MOAT_OK);
    moat_co_destroy(co);
    EXPECT_STR(trace, "ctbact");
}

static moat_co *first, *second;

static void revive_both(void *arg)
{
    EXPECT_EQ(moat_co_reset(first), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(second), MOAT_E_STATE);
    append(arg);
}

static void end_the_second(void *arg)
{
    moat_co_destroy(second);
    EXPECT_EQ(moat_co_reset(first), MOAT_E_STATE);
    append(arg);
}

/* One coroutine ends in a deferred function of the other: neither can be
 * revived. */
static void end_both(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    first = create(yield_for_ever);
    second = create(yield_for_ever);
    EXPECT_EQ(moat_co_defer(first, end_the_second, (void *)(uintptr_t) "1"),
              MOAT_OK);
    EXPECT_EQ(moat_co_defer(second, revive_both, (void *)(uintptr_t) "2"),
              MOAT_OK);
    EXPECT_EQ(moat_co_reset(first), MOAT_OK);
    EXPECT_STR(trace, "2ba1ba");
    moat_co_destroy(first);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, moat_co_current() != NULL);
}

static void
coroutines_that_end_in_each_others_functions_end_once(const void *arg)
{
    (void)arg;
    end_both();
}

static void *end_both_here(moat_co *self, void *input)
{
    (void)self;
    end_both();
    return input;
}

static void
a_guest_ends_coroutines_in_each_others_functions_once(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, end_both_here, NULL) == MOAT_OK);
    EXPECT_EQ(resume(co), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Debug builds abort, as for any bug of the caller. */
static void destroy_again(void *arg)
{
    append((void *)(uintptr_t) "d");
    moat_co_destroy(arg);
    EXPECT_EQ(moat_co_get_state(arg), MOAT_CO_DONE);
}

static void a_destroy_by_a_deferred_function_is_refused(const void *arg)
{
    moat_co *co = create(yield_for_ever);
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    EXPECT_EQ(moat_co_defer(co, destroy_again, co), MOAT_OK);
    moat_co_destroy(co);
    EXPECT_STR(trace, "dba");
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 0);
}

static void *leave_one_behind(void *out)
{
    moat_co *co = create(yield_for_ever);

    EXPECT_EQ(moat_co_defer(co, destroy_again, co), MOAT_OK);
    *(moat_co **)out = co;
    return NULL;
}

/* A thread that has never had a coroutine destroys it after the owner's end. */
static void
a_destroy_by_a_function_that_a_stranger_runs_is_refused(const void *arg)
{
    moat_co *co = NULL;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, leave_one_behind, &co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_co_destroy(co);
    EXPECT_STR(trace, "dba");
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- The code that runs the functions is abandoned ---- */

static moat_co *ending; /* ended by the guests below */

static void leave_by_yield(void *arg)
{
    append(arg);
    (void)moat_co_yield(moat_co_current(), NULL);
    append((void *)(uintptr_t) "Y");
}

static void leave_by_fault(void *arg)
{
    append(arg);
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
}

static void *reset_the_ending_one(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(uintptr_t)(moat_co_reset(ending) == MOAT_OK);
}

/* Creates a guest that stops in the middle of `fn` and never finishes it. */
static moat_co *create_in_the_middle(void (*fn)(void *), moat_event_kind kind)
{
    moat_co *guest = NULL;

    trace[0] = '\0';
    ending = create(yield_for_ever);
    EXPECT_EQ(moat_co_defer(ending, fn, (void *)(uintptr_t) "f"), MOAT_OK);
    REQUIRE(moat_co_create(&guest, reset_the_ending_one, NULL) == MOAT_OK);
    EXPECT_EQ(resume(guest), kind);
    EXPECT_STR(trace, "f");
    EXPECT_EQ(moat_co_get_state(ending), MOAT_CO_DONE);
    return guest;
}

/* The remaining functions run then; the interrupted one does not run again. */
static void expect_it_can_end(void)
{
    EXPECT_EQ(moat_co_reset(ending), MOAT_OK);
    EXPECT_STR(trace, "fba");
    EXPECT_EQ(resume(ending), MOAT_EVENT_YIELD);
    moat_co_destroy(ending);
    EXPECT_STR(trace, "fbac");
}

static void
a_guest_that_yields_in_a_deferred_function_may_go_on(const void *arg)
{
    moat_co *guest = create_in_the_middle(leave_by_yield, MOAT_EVENT_YIELD);
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    EXPECT_EQ(moat_co_reset(ending), MOAT_E_STATE);
    EXPECT_EQ(moat_co_resume(guest, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value != NULL);
    EXPECT_STR(trace, "fYba");
    EXPECT_EQ(moat_co_get_state(ending), MOAT_CO_FRESH);
    moat_co_destroy(guest);
    moat_co_destroy(ending);
}

static void a_coroutine_outlives_the_guest_that_was_ending_it(const void *arg)
{
    moat_co *guest = create_in_the_middle(leave_by_yield, MOAT_EVENT_YIELD);
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    moat_co_destroy(guest);
    expect_it_can_end();
    guest = create_in_the_middle(leave_by_yield, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_reset(guest), MOAT_OK);
    expect_it_can_end();
    moat_co_destroy(guest);
    guest = create_in_the_middle(leave_by_yield, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_cancel(guest, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    expect_it_can_end();
    moat_co_destroy(guest);
    guest = create_in_the_middle(leave_by_fault, MOAT_EVENT_TRAP);
    expect_it_can_end();
    moat_co_destroy(guest);
}

/* The guest's next life in the same slot must count as another guest. */
static void
a_guest_reset_in_a_deferred_function_does_not_keep_it(const void *arg)
{
    moat_co *guest = create_in_the_middle(leave_by_fault, MOAT_EVENT_TRAP);

    (void)arg;
    EXPECT_EQ(moat_co_reset(guest), MOAT_OK);
    EXPECT_EQ(resume(guest), MOAT_EVENT_RETURN);
    EXPECT_STR(trace, "fba");
    EXPECT_EQ(moat_co_get_state(ending), MOAT_CO_FRESH);
    moat_co_destroy(guest);
    moat_co_destroy(ending);
}

/* ---- In a call that survives a fault ---- */

static void reset_the_second(void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_co_reset(first), MOAT_E_STATE);
    (void)!moat_co_reset(second);
}

/* The coroutine that the faulting call was ending can be ended again; the one
 * whose end began earlier cannot. */
static void survive_an_end(void *arg)
{
    append(arg);
    EXPECT_EQ(moat_notrap_call(reset_the_second, NULL, NULL), MOAT_E_FAULT);
    EXPECT_EQ(moat_co_reset(first), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(second), MOAT_OK);
}

static void *end_the_first(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_co_reset(first), MOAT_OK);
    return input;
}

static void an_end_that_a_call_does_not_survive_can_be_repeated(const void *arg)
{
    moat_co *guest = NULL;

    (void)arg;
    first = create(yield_for_ever);
    second = create(yield_for_ever);
    EXPECT_EQ(moat_co_defer(first, survive_an_end, (void *)(uintptr_t) "1"),
              MOAT_OK);
    EXPECT_EQ(moat_co_defer(second, leave_by_fault, (void *)(uintptr_t) "2"),
              MOAT_OK);
    REQUIRE(moat_co_create(&guest, end_the_first, NULL) == MOAT_OK);
    EXPECT_EQ(resume(guest), MOAT_EVENT_RETURN);
    EXPECT_STR(trace, "12baba");
    moat_co_destroy(guest);
    moat_co_destroy(first);
    moat_co_destroy(second);
}

/* A limited coroutine is resumed by the library's own code, not by the inline
 * function. There too, a yield must not be mistaken for an end. */
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

#ifdef NDEBUG
#    define REFUSED(function) CHILD_CASE(function)
#else
#    define REFUSED(function)                           \
        {                                               \
#            function, function, NULL, NULL, SIGABRT, 0 \
        }
#endif

static const struct child_case cases[] = {
    CHILD_CASE(deferred_functions_run_after_a_return),
    CHILD_CASE(deferred_functions_run_after_a_fault),
    CHILD_CASE(deferred_functions_run_after_an_overflow),
    CHILD_CASE(deferred_functions_run_after_a_raise),
    CHILD_CASE(deferred_functions_run_at_reset),
    CHILD_CASE(a_deferred_function_cannot_revive_its_coroutine),
    CHILD_CASE(a_trap_seen_by_a_deferred_function_does_not_free_its_coroutine),
    CHILD_CASE(coroutines_that_end_in_each_others_functions_end_once),
    CHILD_CASE(a_guest_ends_coroutines_in_each_others_functions_once),
    REFUSED(a_destroy_by_a_deferred_function_is_refused),
    REFUSED(a_destroy_by_a_function_that_a_stranger_runs_is_refused),
    CHILD_CASE(a_guest_that_yields_in_a_deferred_function_may_go_on),
    CHILD_CASE(a_coroutine_outlives_the_guest_that_was_ending_it),
    CHILD_CASE(a_guest_reset_in_a_deferred_function_does_not_keep_it),
    CHILD_CASE(an_end_that_a_call_does_not_survive_can_be_repeated),
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
