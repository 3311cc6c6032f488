/*
 * cancel.c: the result of cancelling and of destroying guests of each shape,
 * and the cases in which neither is legal.
 *
 *   cancel               runs all; prints failures
 *   cancel NAME          runs one
 *   cancel --untrapped   runs those that leave nothing allocated
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#include "guests.h"

/* --- the trace, and expectations ------------------------------------------ */

static char trace[64];
static const char *running = "";
static int failures;

void note(char letter)
{
    size_t length = strlen(trace);

    if (length + 1 < sizeof trace)
        trace[length] = letter;
}

static void check(int holds, const char *what)
{
    if (holds)
        return;
    printf("%s: does not hold: %s\n", running, what);
    failures++;
}

#define CHECK(condition) check((condition), #condition)

static void check_trace(const char *expected)
{
    if (strcmp(trace, expected) != 0) {
        printf("%s: cleanup ran as '%s', not '%s'\n", running, trace, expected);
        failures++;
    }
    memset(trace, 0, sizeof trace);
}

/* --- the shapes ----------------------------------------------------------- */

enum action { END, CANCEL, RESUME };

struct step {
    enum action action;
    moat_event_kind kind;
    const char *trace;
    moat_trap_kind trap;
};

struct shape {
    const char *name;
    moat_entry entry;
    struct step steps[4]; /* after the first resume, which yields */
    const char *destroy;  /* the trace if it is destroyed instead */
};

#define RETURNS(letters)     CANCEL, MOAT_EVENT_RETURN, letters, MOAT_TRAP_NONE
#define YIELDS(letters)      CANCEL, MOAT_EVENT_YIELD, letters, MOAT_TRAP_NONE
#define PANICS(letters)      CANCEL, MOAT_EVENT_PANIC, letters, MOAT_TRAP_NONE
#define TRAPS(letters, kind) CANCEL, MOAT_EVENT_TRAP, letters, kind
#define SHAPE(name)          #name, name

/* The result of an unwinding that starts in a cleanup function depends on the
 * compiler. gcc's C allows it; clang's calls abort. Both C++ compilers call
 * std::terminate: gcc before the destructors of the frame that must not throw,
 * clang after. */
#ifdef __clang__
#    define AS_COMPILED(gcc, clang)      clang
#    define WHERE_C_MAY(gcc, clang)      TRAPS(clang, MOAT_TRAP_ABORT)
#    define PANICS_OR_ABORTS(gcc, clang) TRAPS(clang, MOAT_TRAP_ABORT)
#else
#    define AS_COMPILED(gcc, clang)      gcc
#    define WHERE_C_MAY(gcc, clang)      RETURNS(gcc)
#    define PANICS_OR_ABORTS(gcc, clang) PANICS(gcc)
#endif

/* clang-format off */
static const struct shape shapes[] = {
    {SHAPE(c_nested), {{RETURNS("123459")}}, "123459"},
    {SHAPE(c_outline), {{RETURNS("1239")}}, "1239"},

    /* Cleanup code that yields. A resume lets it finish, and the unwinding
     * continues; a cancel unwinds it and the frames above. */
    {SHAPE(c_yield_in_cleanup),
     {{YIELDS("1y")}, {RESUME, MOAT_EVENT_RETURN, "Y49", MOAT_TRAP_NONE}},
     "1y"},
    {SHAPE(c_yield_in_cleanup), {{YIELDS("1y")}, {WHERE_C_MAY("49", "4")}},
     "1y"},
    {SHAPE(c_restless), {{YIELDS("1")}, {WHERE_C_MAY("9", "")}}, "1"},
    {SHAPE(c_restless),
     {{YIELDS("1")},
      {RESUME, MOAT_EVENT_YIELD, "2", MOAT_TRAP_NONE},
      {RESUME, MOAT_EVENT_RETURN, "39", MOAT_TRAP_NONE}},
     "1"},

    /* A failure of cleanup code ends the unwinding, except for an exception in
     * C, which replaces the unwinding. */
    {SHAPE(c_trap_in_cleanup), {{TRAPS("18", MOAT_TRAP_NULL)}}, "18"},
    {SHAPE(c_panic_in_cleanup), {{PANICS_OR_ABORTS("189", "18")}},
     AS_COMPILED("189X", "18")},

    /* A call that survives faults is ended by one, and the unwinding continues
     * after it. */
    {SHAPE(c_trap_in_call), {{RETURNS("189")}}, "189"},
    {SHAPE(c_call_in_cleanup), {{RETURNS("189")}}, "189"},

    /* Frames without unwinding support: skipped, or the end of the
     * unwinding. */
    {SHAPE(c_over_plain), {{RETURNS("19")}}, "19"},
    {SHAPE(c_over_no_exceptions), {{RETURNS("19")}}, "19"},
    {SHAPE(c_over_no_tables), {{RETURNS("1")}}, "1"},

    /* A coroutine that owns another, suspended one, and destroys it. */
    {SHAPE(c_owner), {{RETURNS("12(123459)9")}}, "12(123459)9"},
    {SHAPE(c_visits_host), {{RETURNS("1h9")}}, "1h9"},
    {SHAPE(c_cancelled_from_service),
     {{RESUME, MOAT_EVENT_YIELD, "s123459", MOAT_TRAP_NONE},
      {RETURNS("18")}},
     "8"},
    {SHAPE(c_with_handlers), {{RETURNS("1ba")}}, "1ba"},
    {SHAPE(c_ends_itself),
     {{RESUME, MOAT_EVENT_RETURN, "9", MOAT_TRAP_NONE}}, "9"},

    {SHAPE(cxx_nested), {{RETURNS("iabcdz")}}, "iabcdz"},
    {SHAPE(cxx_over_c), {{RETURNS("12z")}}, "12z"},
    {SHAPE(cxx_rethrow), {{RETURNS("iaCz")}}, "iaCz"},
    {SHAPE(cxx_by_type), {{RETURNS("iaz")}}, "iaz"},
    {SHAPE(cxx_by_name), {{RETURNS("iaFz")}}, "iaFz"},
    {SHAPE(cxx_uncaught), {{RETURNS("0")}}, "0"},
    {SHAPE(cxx_inside_handler), {{RETURNS("iaez")}}, "iaez"},

    /* Caught and not rethrown: the guest continues. */
    {SHAPE(cxx_swallow_and_yield), {{YIELDS("iaCg")}, {RETURNS("z")}}, "iaCg"},
    {SHAPE(cxx_swallow_and_return), {{RETURNS("iaCz")}}, "iaCz"},
    {SHAPE(cxx_swallow_and_trap_in_call), {{RETURNS("iaCfz")}}, "iaCfz"},
    {SHAPE(cxx_yield_in_catch),
     {{YIELDS("iaC")}, {RESUME, MOAT_EVENT_RETURN, "Dz", MOAT_TRAP_NONE}},
     "iaC"},
    {SHAPE(cxx_yield_in_catch), {{YIELDS("iaC")}, {RETURNS("z")}}, "iaC"},

    /* Cases for which C++ calls std::terminate, which aborts. */
    {SHAPE(cxx_noexcept),
     {{TRAPS(AS_COMPILED("ia", "ian"), MOAT_TRAP_ABORT)}},
     AS_COMPILED("ia", "ian")},
    {SHAPE(cxx_suspended_in_destructor),
     {{TRAPS(AS_COMPILED("", "m"), MOAT_TRAP_ABORT)}},
     AS_COMPILED("", "m")},
    {SHAPE(cxx_throw_in_destructor),
     {{TRAPS("iat", MOAT_TRAP_ABORT)}}, "iat"},
    {SHAPE(cxx_catch_inside_handler),
     {{TRAPS("ia", MOAT_TRAP_ABORT)}}, "ia"},

    {SHAPE(cxx_throw_in_handler), {{PANICS("iaCz")}}, "iaCze"},

    /* A destructor run by an unwinding must not be unwound itself. If it
     * yields, it can be resumed, but not cancelled. */
    {SHAPE(cxx_yield_in_destructor),
     {{YIELDS("iay")}, {RESUME, MOAT_EVENT_RETURN, "Ymz", MOAT_TRAP_NONE}},
     "iay"},
    {SHAPE(cxx_yield_in_destructor),
     {{YIELDS("iay")},
      {TRAPS(AS_COMPILED("", "m"), MOAT_TRAP_ABORT)}}, "iay"},
    {SHAPE(cxx_yield_in_throwing_destructor),
     {{YIELDS("iay")}, {TRAPS("m", MOAT_TRAP_ABORT)}}, "iay"},
    {SHAPE(cxx_suspended_in_throwing_destructor), {{RETURNS("mz")}}, "mz"},
};
/* clang-format on */

static moat_co *create(moat_entry entry, const moat_limits *limits,
                       size_t stack_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.limits = limits;
    options.stack_bytes = stack_bytes;
    CHECK(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_co *create_suspended(moat_entry entry, const moat_limits *limits)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = create(entry, limits, 0);

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_YIELD);
    memset(trace, 0, sizeof trace);
    return co;
}

static moat_co_state state_after(moat_event_kind kind)
{
    switch (kind) {
    case MOAT_EVENT_YIELD:
        return MOAT_CO_SUSPENDED;
    case MOAT_EVENT_TRAP:
        return MOAT_CO_TRAPPED;
    default:
        return MOAT_CO_DONE;
    }
}

static void check_trap(const moat_co *co, moat_trap_kind kind)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    CHECK(moat_co_trap_info(co, &info) == MOAT_OK);
    if (info.kind != kind) {
        printf("%s: trap %s, not %s\n", running, moat_trap_kind_name(info.kind),
               moat_trap_kind_name(kind));
        failures++;
    }
}

static void take(moat_co *co, const struct step *step)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_status status = step->action == CANCEL
                             ? moat_co_cancel(co, &event)
                             : moat_co_resume(co, NULL, &event);

    CHECK(status == MOAT_OK);
    if (event.kind != step->kind) {
        printf("%s: event %d, not %d\n", running, (int)event.kind,
               (int)step->kind);
        failures++;
    }
    check_trace(step->trace);
    CHECK(moat_co_get_state(co) == state_after(event.kind));
    if (event.kind == MOAT_EVENT_TRAP)
        check_trap(co, step->trap);
    if (event.kind == MOAT_EVENT_RETURN)
        CHECK(event.value == NULL);
    if (event.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(event.value);
    memset(trace, 0, sizeof trace);
}

static void finish(moat_co *co)
{
    CHECK(moat_co_reset(co) == MOAT_OK);
    memset(trace, 0, sizeof trace);
    moat_co_destroy(co);
    check_trace("");
}

/* A run of a shape, on its own thread: entries that a guest leaves in the C++
 * runtime's list of caught exceptions end with the thread. */
struct run {
    const struct shape *shape;
    const moat_limits *limits;
};

static void *take_steps(void *arg)
{
    const struct run *run = arg;
    moat_co *co = create_suspended(run->shape->entry, run->limits);

    for (const struct step *step = run->shape->steps; step->action != END;
         step++)
        take(co, step);
    finish(co);
    return NULL;
}

static void *destroy_instead(void *arg)
{
    const struct run *run = arg;

    moat_co_destroy(create_suspended(run->shape->entry, run->limits));
    if (run->shape->steps[0].action == CANCEL)
        check_trace(run->shape->destroy);
    memset(trace, 0, sizeof trace);
    return NULL;
}

static void on_a_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, body, arg) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static int is_chosen(const struct shape *shape, const char *only)
{
    if (only == NULL)
        return 1;
    if (strcmp(only, "--untrapped") != 0)
        return strcmp(only, shape->name) == 0;
    for (const struct step *step = shape->steps; step->action != END; step++)
        if (step->kind == MOAT_EVENT_TRAP)
            return 0;
    return 1;
}

/* Without limits on the inline path; with limits on the library's path. */
static void run_shapes(const char *only)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    limits.wall_ns = UINT64_C(100000000000);
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof shapes[0]; i++) {
        struct run run = {&shapes[i / 2], i % 2 == 0 ? NULL : &limits};

        if (!is_chosen(run.shape, only))
            continue;
        running = run.shape->name;
        on_a_thread(take_steps, &run);
        on_a_thread(destroy_instead, &run);
    }
}

/* --- states --------------------------------------------------------------- */

void *must_not_run(moat_co *self, void *input)
{
    (void)self;
    note('E');
    return input;
}

static void a_fresh_one_is_done_at_once(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT, .value = &event};
    moat_co *co = create(must_not_run, NULL, 0);

    CHECK(moat_co_cancel(co, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN && event.value == NULL);
    CHECK(moat_co_get_state(co) == MOAT_CO_DONE);
    check_trace("");
    CHECK(moat_co_cancel(co, &event) == MOAT_E_STATE);
    CHECK(moat_co_reset(co) == MOAT_OK);
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    check_trace("E");
    moat_co_destroy(co);
}

static void *try_own_cancel(moat_co *self, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    CHECK(moat_co_cancel(self, &event) == MOAT_E_STATE);
    /* The coroutine that resumed this one. */
    if (input != NULL)
        CHECK(moat_co_cancel(input, &event) == MOAT_E_STATE);
    CHECK(event.kind == MOAT_EVENT_PREEMPT);
    return NULL;
}

static void *resume_another(moat_co *self, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    CHECK(moat_co_resume(input, self, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    return NULL;
}

static void a_running_or_resuming_one_is_refused(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *inner = create(try_own_cancel, NULL, 0);
    moat_co *outer = create(resume_another, NULL, 0);

    CHECK(moat_co_resume(outer, inner, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(1);
}

static void a_stopped_one_is_refused(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *co = create(fault, NULL, 0);

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(moat_co_cancel(co, &event) == MOAT_E_STATE);
    CHECK(event.kind == MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

static void null_is_refused(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *co = create_suspended(c_nested, NULL);

    CHECK(moat_co_cancel(NULL, &event) == MOAT_E_INVAL);
    CHECK(moat_co_cancel(co, NULL) == MOAT_E_INVAL);
    CHECK(moat_co_get_state(co) == MOAT_CO_SUSPENDED);
    check_trace("");
    moat_co_destroy(co);
    check_trace("123459");
}

static void *cancel_elsewhere(void *co)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    CHECK(moat_co_cancel(co, &event) == MOAT_E_THREAD);
    return NULL;
}

static void *leave_suspended(void *out)
{
    moat_event event;
    moat_co *co = create(c_nested, NULL, 0);

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    memcpy(out, &co, sizeof co);
    return NULL;
}

static void another_thread_is_refused(void)
{
    moat_co *co = create_suspended(c_nested, NULL);

    on_a_thread(cancel_elsewhere, co);
    check_trace("");
    moat_co_destroy(co);
    check_trace("123459");
}

static void the_frames_of_an_ended_thread_are_dropped(void)
{
    moat_co *co = NULL;

    on_a_thread(leave_suspended, &co);
    CHECK(moat_co_get_state(co) == MOAT_CO_SUSPENDED);
    moat_co_destroy(co);
    check_trace("");
}

static void a_reset_drops_the_frames(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *co = create_suspended(c_nested, NULL);

    CHECK(moat_co_reset(co) == MOAT_OK);
    check_trace("");
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    check_trace("123459");
}

/* --- callers and limits --------------------------------------------------- */

static void a_guest_cancels(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *victim = create_suspended(cxx_nested, NULL);
    moat_co *canceller = create(c_canceller, NULL, 0);

    CHECK(moat_co_resume(canceller, victim, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    check_trace("iabcdzc");
    CHECK(moat_co_get_state(victim) == MOAT_CO_DONE);
    moat_co_destroy(canceller);
    moat_co_destroy(victim);
}

#ifndef __SANITIZE_THREAD__
static void a_time_limit_holds(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    limits.wall_ns = UINT64_C(20000000);
    co = create_suspended(c_endless_cleanup, &limits);
    CHECK(moat_co_cancel(co, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_TRAP);
    check_trap(co, MOAT_TRAP_DEADLINE);
    check_trace("18");
    moat_co_destroy(co);
    /* A destroy, too, waits only until the limit. */
    co = create_suspended(c_endless_cleanup, &limits);
    moat_co_destroy(co);
    check_trace("18");
}
#endif

#ifndef SANITIZED /* its functions need more stack than is left */

static void *fill_the_stack(moat_co *self, void *input)
{
    moat_stack_info stack;

    if (moat_stack_bounds(&stack) == MOAT_OK &&
        (uintptr_t)__builtin_frame_address(0) - stack.limit > 1024)
        return fill_the_stack(self, input) == self ? self : input;
    c_descend(self, 1);
    return input;
}

/* The unwinder overflows the guest's stack, which the canceller survives. */
static void too_little_stack_is_an_overflow(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *co;

    if (MOAT_SWITCH_PORTABLE) {
        printf("skipped: overflow: a yield takes more than an unwinder\n");
        return;
    }
    co = create(fill_the_stack, NULL, 16384);
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_YIELD);
    CHECK(moat_co_cancel(co, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_TRAP);
    check_trap(co, MOAT_TRAP_STACK_OVERFLOW);
    moat_co_destroy(co);
    memset(trace, 0, sizeof trace);
}

static void the_least_stack_suffices(void)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};
    moat_co *co = create(cxx_nested, NULL, 8192);

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(moat_co_cancel(co, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    check_trace("iabcdz");
    moat_co_destroy(co);
}

#endif

static void twice_a_thousand_times(void)
{
    moat_event event;
    moat_co *co = create(cxx_inside_handler, NULL, 0);

    for (int i = 0; i < 1000; i++) {
        CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
        CHECK(moat_co_cancel(co, &event) == MOAT_OK);
        check_trace("iaez");
        CHECK(moat_co_reset(co) == MOAT_OK);
        moat_co_destroy(create_suspended(c_owner, NULL));
        check_trace("12(123459)9");
    }
    moat_co_destroy(co);
}

static void count(void *counter)
{
    ++*(int *)counter;
}

/* Its cleanup code has yielded; the unwinding ends in the resume. */
static void the_end_of_an_unwinding_is_settled(void)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;
    int ended = 0;

    CHECK(moat_co_create(&co, c_yield_in_cleanup, NULL) == MOAT_OK);
    CHECK(moat_co_defer(co, count, &ended) == MOAT_OK);
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(moat_co_cancel(co, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_YIELD && ended == 0);
    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN && ended == 1);
    moat_co_destroy(co);
    check_trace("1yY49");
}

static const struct {
    const char *name;
    void (*run)(void);
} scenes[] = {
    {"fresh", a_fresh_one_is_done_at_once},
    {"running", a_running_or_resuming_one_is_refused},
    {"stopped", a_stopped_one_is_refused},
    {"null", null_is_refused},
    {"thread", another_thread_is_refused},
    {"ended_thread", the_frames_of_an_ended_thread_are_dropped},
    {"reset", a_reset_drops_the_frames},
    {"guest", a_guest_cancels},
    {"settled", the_end_of_an_unwinding_is_settled},
#ifndef __SANITIZE_THREAD__ /* delays signals in a loop without calls */
    {"time_limit", a_time_limit_holds},
#endif
#ifndef SANITIZED
    {"overflow", too_little_stack_is_an_overflow},
    {"least_stack", the_least_stack_suffices},
#endif
    {"many", twice_a_thousand_times},
};

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;

    run_shapes(only);
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        if (only == NULL || strcmp(only, "--untrapped") == 0 ||
            strcmp(only, scenes[i].name) == 0) {
            running = scenes[i].name;
            scenes[i].run();
        }
    printf("%d failed\n", failures);
    return failures != 0;
}
