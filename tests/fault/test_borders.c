/*
 * test_borders.c: ways to leave a guest other than a yield, a return or a trap:
 * exceptions, the end of its thread, a jump.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unwind.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "borders_throw.h"
#include "guests.h"

/* The class of this compiler's C++ exceptions: "GNUCC++". */
#define CXX_EXCEPTION UINT64_C(0x474e5543432b2b00)
#define C_EXCEPTION   UINT64_C(0x6d6f61747465737a)

/* ---- Exceptions ---- */

/* Deletes the exception, which now belongs to the host. */
static void expect_panic(const moat_co *co, moat_event event,
                         uint64_t exception_class)
{
    struct _Unwind_Exception *exception = event.value;

    EXPECT_EQ(event.kind, MOAT_EVENT_PANIC);
    REQUIRE(exception != NULL);
    EXPECT_EQ(exception->exception_class, exception_class);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    _Unwind_DeleteException(exception);
}

static void expect_panics(moat_co *co, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        moat_event event;

        frames_destroyed = 0;
        event = guest_resume(co, NULL);
        EXPECT_EQ(exceptions_alive, 1);
        EXPECT_EQ(frames_destroyed, FRAMES_WITH_DESTRUCTORS);
        EXPECT(moat_co_current() == NULL);
        expect_panic(co, event, CXX_EXCEPTION);
        EXPECT_EQ(exceptions_alive, 0);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
}

static void an_exception_that_reaches_the_root_is_a_panic_event(const void *arg)
{
    moat_co *co = guest_create(throw_through_the_root);

    (void)arg;
    expect_panics(co, 3);
    moat_co_destroy(co);
}

static void an_exception_of_a_limited_guest_is_a_panic_event(const void *arg)
{
    moat_co *co = guest_create_limited(throw_through_the_root, 0, 60000 * MS);
    moat_co *loop = guest_create_limited(guest_loop, 0, 5 * MS);

    (void)arg;
    expect_panics(co, 3);
    guest_expect_trap(loop, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(loop);
    moat_co_destroy(co);
}

static void
an_exception_is_a_panic_event_for_a_resume_out_of_line(const void *arg)
{
    moat_co *co = guest_create(throw_through_the_root);
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    (void)arg;
    EXPECT_EQ(resume_out_of_line(co, NULL, &event), MOAT_OK);
    EXPECT(moat_co_current() == NULL);
    expect_panic(co, event, CXX_EXCEPTION);
    EXPECT_EQ(exceptions_alive, 0);
    moat_co_destroy(co);
}

static void an_exception_that_a_guest_catches_is_its_own_affair(const void *arg)
{
    moat_co *co = guest_create(throw_and_catch);
    moat_event event = guest_resume(co, NULL);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == co);
    EXPECT_EQ(exceptions_alive, 0);
    EXPECT_EQ(frames_destroyed, FRAMES_WITH_DESTRUCTORS);
    moat_co_destroy(co);
}

static void a_fault_of_the_host_after_a_panic_is_fatal(const void *arg)
{
    moat_co *co = guest_create(throw_through_the_root);

    (void)arg;
    expect_panic(co, guest_resume(co, NULL), CXX_EXCEPTION);
    write_null();
}

/* Resumes the innermost of three coroutines and returns its event. */
static void *resume_input(moat_co *self, void *input)
{
    static moat_event seen;

    seen = guest_resume(input, NULL);
    EXPECT(moat_co_current() == self);
    return &seen;
}

static void *resume_two_deep(moat_co *self, void *input)
{
    moat_co *middle = guest_create(resume_input);
    moat_event event = guest_resume(middle, input);

    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(moat_co_current() == self);
    moat_co_destroy(middle);
    return event.value;
}

static void
an_exception_three_coroutines_deep_ends_at_the_first_root(const void *arg)
{
    moat_co *thrower = guest_create(throw_through_the_root);
    moat_co *outer = guest_create(resume_two_deep);
    moat_event event = guest_resume(outer, thrower);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    REQUIRE(event.value != NULL);
    expect_panic(thrower, *(moat_event *)event.value, CXX_EXCEPTION);
    EXPECT_EQ(exceptions_alive, 0);
    EXPECT_EQ(moat_co_get_state(outer), MOAT_CO_DONE);
    moat_co_destroy(outer);
    moat_co_destroy(thrower);
}

static int cleanups;

static void clean_up(_Unwind_Reason_Code reason,
                     struct _Unwind_Exception *exception)
{
    (void)reason;
    (void)exception;
    cleanups++;
}

static void *raise_by_hand(moat_co *self, void *input)
{
    (void)self;
    (void)_Unwind_RaiseException(input);
    return NULL;
}

static void an_exception_raised_in_c_is_a_panic_event(const void *arg)
{
    static struct _Unwind_Exception exception;
    moat_co *co = guest_create(raise_by_hand);
    moat_event event;

    (void)arg;
    exception.exception_class = C_EXCEPTION;
    exception.exception_cleanup = clean_up;
    event = guest_resume(co, &exception);
    EXPECT(event.value == &exception);
    EXPECT_EQ(cleanups, 0);
    expect_panic(co, event, C_EXCEPTION);
    EXPECT_EQ(cleanups, 1);
    moat_co_destroy(co);
}

/* Throws after its resumer's deadline has passed. */
static void *throw_too_late(moat_co *self, void *input)
{
    moat_notrap_enter();
    spin_until(*(uint64_t *)input);
    return throw_through_the_root(self, NULL);
}

static moat_co *late;

static void *resume_the_late_one(moat_co *self, void *input)
{
    (void)guest_resume(late, input);
    return guest_loop(self, input);
}

/* The exception is lost with the event. The C++ runtime must not count it as
 * waiting for a catch. */
static void
an_exception_ends_with_the_guest_that_should_receive_it(const void *arg)
{
    moat_co *outer = guest_create_limited(resume_the_late_one, 0, 300 * MS);
    uint64_t until = clock_ns(CLOCK_MONOTONIC) + 600 * MS;

    (void)arg;
    late = guest_create_limited(throw_too_late, 0, 60000 * MS);
    guest_expect_trap(outer, &until, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(moat_co_get_state(late), MOAT_CO_DONE);
    EXPECT_EQ(exceptions_alive, 1);
    EXPECT(!cxx_counts_an_exception());
    moat_co_destroy(outer);
    moat_co_destroy(late);
}

static int deferred_calls;

static void count_a_call(void *arg)
{
    (void)arg;
    deferred_calls++;
}

static void
an_exception_of_a_deferred_function_passes_the_reset(const void *arg)
{
    moat_co *co = guest_create(guest_echo);

    (void)arg;
    EXPECT_EQ(moat_co_defer(co, count_a_call, NULL), MOAT_OK);
    EXPECT_EQ(moat_co_defer(co, throw_an_int, NULL), MOAT_OK);
    EXPECT(reset_throws(co));
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(deferred_calls, 0);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(deferred_calls, 1);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
}

/* ---- The end of the thread ---- */

static void *exit_the_thread(moat_co *self, void *input)
{
    (void)self;
    pthread_exit(input);
}

static void *cancel_the_thread(moat_co *self, void *input)
{
    (void)self;
    (void)pthread_cancel(pthread_self());
    pthread_testcancel();
    return input;
}

/* The thread continues, and so do its guests. */
static void *contain(void *entry)
{
    moat_co *co = guest_create(*(moat_entry *)entry);
    moat_co *next = guest_create(guest_write_null);

    guest_expect_trap(co, NULL, MOAT_TRAP_ABORT);
    EXPECT(moat_co_current() == NULL);
    guest_expect_trap(next, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(next);
    moat_co_destroy(co);
    return entry;
}

static void expect_contained(moat_entry entry)
{
    pthread_t thread;
    void *result = NULL;

    REQUIRE(pthread_create(&thread, NULL, contain, &entry) == 0);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT(result == &entry);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void pthread_exit_in_a_guest_is_an_abort_trap(const void *arg)
{
    (void)arg;
    expect_contained(exit_the_thread);
}

static void a_cancellation_in_a_guest_is_an_abort_trap(const void *arg)
{
    (void)arg;
    expect_contained(cancel_the_thread);
}

/* ---- A thread that ends while it seems to run a guest ---- */

static jmp_buf way_out;
static pthread_key_t key;

static void *jump_out(moat_co *self, void *input)
{
    (void)self;
    longjmp(way_out, input == NULL ? 1 : 2);
}

/* A bug of the host; the library must not make it worse. */
static void *jump_out_and_end(void *out)
{
    moat_co *co = guest_create(jump_out);

    *(moat_co **)out = co;
    EXPECT_EQ(pthread_setspecific(key, co), 0);
    if (setjmp(way_out) == 0)
        (void)guest_resume(co, NULL);
    return NULL;
}

/* The engine's own destructor runs before that of a key created later. */
static moat_co *end_a_thread_inside(void (*destructor)(void *))
{
    pthread_t thread;
    moat_co *co = NULL;

    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    REQUIRE(pthread_key_create(&key, destructor) == 0);
    REQUIRE(pthread_create(&thread, NULL, jump_out_and_end, &co) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    REQUIRE(co != NULL);
    return co;
}

static void
a_thread_that_ends_inside_a_guest_leaves_none_running(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_co *co = end_a_thread_inside(NULL);

    (void)arg;
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void fault_at_the_end(void *value)
{
    (void)value;
    EXPECT(moat_co_current() == NULL);
    if (expect_failures() == 0)
        write_null();
}

static void a_fault_in_a_destructor_of_such_a_thread_is_fatal(const void *arg)
{
    (void)arg;
    (void)end_a_thread_inside(fault_at_the_end);
}

#define DIES(function)                              \
    {                                               \
#        function, function, NULL, NULL, SIGSEGV, 0 \
    }

static const struct child_case cases[] = {
    CHILD_CASE(an_exception_that_reaches_the_root_is_a_panic_event),
    CHILD_CASE(an_exception_of_a_limited_guest_is_a_panic_event),
    CHILD_CASE(an_exception_is_a_panic_event_for_a_resume_out_of_line),
    CHILD_CASE(an_exception_that_a_guest_catches_is_its_own_affair),
    DIES(a_fault_of_the_host_after_a_panic_is_fatal),
    CHILD_CASE(an_exception_three_coroutines_deep_ends_at_the_first_root),
    CHILD_CASE(an_exception_raised_in_c_is_a_panic_event),
    CHILD_CASE(an_exception_ends_with_the_guest_that_should_receive_it),
    CHILD_CASE(an_exception_of_a_deferred_function_passes_the_reset),
    CHILD_CASE(pthread_exit_in_a_guest_is_an_abort_trap),
    CHILD_CASE(a_cancellation_in_a_guest_is_an_abort_trap),
    CHILD_CASE(a_thread_that_ends_inside_a_guest_leaves_none_running),
    DIES(a_fault_in_a_destructor_of_such_a_thread_is_fatal),
};

int main(int argc, char **argv)
{
    return child_cases_run("nothing leaves a guest except through its root",
                           cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
