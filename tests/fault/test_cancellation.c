/*
 * test_cancellation.c: a thread is cancelled in a function of moat's. The
 * cancellation waits until the function has done its work: no lock stays held,
 * for this thread or others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define HANG_S 60

static int sink; /* /dev/null */

/* ---- The functions ---- */

static moat_co *trapped(void)
{
    moat_co *co = guest_create(guest_write_null);

    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    return co;
}

static moat_status report(void)
{
    moat_co *co = trapped();
    moat_status status = moat_co_print_report(co, sink);

    moat_co_destroy(co);
    return status;
}

static moat_status json(void)
{
    moat_co *co = trapped();
    moat_status status = moat_co_write_json(co, sink);

    moat_co_destroy(co);
    return status;
}

static moat_status core(void)
{
    int file = memfd_create("core", 0); /* closed by the end of the child */
    moat_co *co = trapped();
    moat_status status = moat_co_write_core(co, file);

    moat_co_destroy(co);
    return status;
}

static moat_status describe(void)
{
    static _Thread_local moat_described_frame frames[32];
    moat_co *co = trapped();
    size_t count;
    moat_status status = moat_co_describe(co, frames, 32, &count);

    moat_co_destroy(co);
    return status;
}

static moat_status trim(void)
{
    moat_co *co = guest_create_on(guest_echo, (size_t)1 << 20);

    moat_co_destroy(co);
    return moat_engine_trim(0, NULL);
}

static moat_status register_code(void)
{
    static _Thread_local char bytes[64];
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id;
    moat_status status;

    code.start = bytes;
    code.size = sizeof bytes;
    code.name = "registered";
    status = moat_code_register(&code, &id);
    return status == MOAT_OK ? moat_code_unregister(id) : status;
}

/* Scrubbing reads the page map, and so does the high-water mark. */
static moat_status scrub(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_stack_info info;
    moat_co *co = NULL;
    moat_status status;

    options.flags = MOAT_CO_SCRUB_ZERO;
    REQUIRE(moat_co_create(&co, guest_echo, &options) == MOAT_OK);
    (void)guest_resume(co, NULL);
    (void)guest_resume(co, NULL);
    status = moat_co_reset(co);
    if (status == MOAT_OK)
        status = moat_co_stack_info(co, &info);
    moat_co_destroy(co);
    return status;
}

static moat_status info(void)
{
    moat_engine_info out = MOAT_ENGINE_INFO_INIT;

    return moat_engine_get_info(&out);
}

static const struct function {
    const char *name;
    moat_status (*call)(void);
} functions[] = {
    {"report", report},     {"json", json}, {"core", core},
    {"describe", describe}, {"trim", trim}, {"register", register_code},
    {"scrub", scrub},       {"info", info},
};

#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* ---- What holds afterwards ---- */

static void *call(void *arg)
{
    const struct function *function = arg;
    moat_status status = function->call();

    EXPECT(status == MOAT_OK || status == MOAT_E_UNSUPPORTED);
    return NULL;
}

static void *on_thread(void *(*fn)(void *), const void *arg)
{
    pthread_t thread;
    void *result;

    REQUIRE(pthread_create(&thread, NULL, fn, (void *)(uintptr_t)arg) == 0);
    REQUIRE(pthread_join(thread, &result) == 0);
    return result;
}

/* A fork takes all locks. */
static void expect_usable(const struct function *function)
{
    pid_t child;

    EXPECT(on_thread(call, function) == NULL);
    child = fork();
    if (child == 0) {
        (void)call((void *)(uintptr_t)function);
        child_exit();
    }
    EXPECT_EQ(exit_status_of(child), 0);
}

static void begin(void)
{
    sink = open("/dev/null", O_WRONLY);
    (void)alarm(HANG_S);
}

/* ---- A cancellation that is pending when the function is called ---- */

static atomic_uint returned;

static void *call_cancelled(void *arg)
{
    EXPECT_EQ(pthread_cancel(pthread_self()), 0);
    (void)call(arg);
    atomic_fetch_add(&returned, 1);
    pthread_testcancel();
    return NULL;
}

static void no_function_is_a_cancellation_point(const void *arg)
{
    (void)arg;
    begin();
    for (size_t i = 0; i < FUNCTIONS; i++) {
        expect_context("%s", functions[i].name);
        EXPECT(on_thread(call_cancelled, &functions[i]) == PTHREAD_CANCELED);
        EXPECT_EQ(atomic_load(&returned), i + 1);
        expect_usable(&functions[i]);
    }
}

/* ---- The same in a guest ---- */

static void *call_in_guest(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(pthread_cancel(pthread_self()), 0);
    return call(input);
}

static __attribute__((noinline)) void run_guest(void *arg)
{
    moat_co *co = guest_create_on(call_in_guest, (size_t)512 << 10);

    EXPECT_EQ(guest_resume(co, arg).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Without variables: the address sanitizer would take them to be there after
 * the cancellation. */
static void *resume_cancelled(void *arg)
{
    run_guest(arg);
    pthread_testcancel();
    return NULL;
}

static void nor_is_it_one_for_a_guest(const void *arg)
{
    (void)arg;
    begin();
    for (size_t i = 0; i < FUNCTIONS; i++) {
        expect_context("%s", functions[i].name);
        EXPECT(on_thread(resume_cancelled, &functions[i]) == PTHREAD_CANCELED);
        expect_usable(&functions[i]);
    }
}

/* ---- At any time, from outside ---- */

static void *call_for_ever(void *arg)
{
    for (;;) {
        (void)call(arg);
        pthread_testcancel();
    }
    return NULL;
}

static void a_watchdog_cancels_a_thread(const void *arg)
{
    (void)arg;
    begin();
    for (size_t i = 0; i < 3 * FUNCTIONS; i++) {
        const struct function *function = &functions[i % FUNCTIONS];
        pthread_t thread;
        void *result;

        expect_context("%s", function->name);
        REQUIRE(pthread_create(&thread, NULL, call_for_ever,
                               (void *)(uintptr_t)function) == 0);
        (void)usleep((useconds_t)(1000 + 700 * i));
        EXPECT_EQ(pthread_cancel(thread), 0);
        EXPECT_EQ(pthread_join(thread, &result), 0);
        EXPECT(result == PTHREAD_CANCELED);
        expect_usable(function);
    }
}

/* The state that the caller has set is the one it finds again. */
static void a_thread_that_disabled_cancellation_keeps_it_so(const void *arg)
{
    int state;

    (void)arg;
    begin();
    for (size_t i = 0; i < FUNCTIONS; i++) {
        EXPECT_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state), 0);
        EXPECT_EQ(state, PTHREAD_CANCEL_ENABLE);
        (void)call((void *)(uintptr_t)&functions[i]);
        EXPECT_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state), 0);
        EXPECT_EQ(state, PTHREAD_CANCEL_DISABLE);
    }
}

/* ---- In a host call ---- */

static int *volatile nowhere;

static void *wait_cancelled(void *arg)
{
    EXPECT_EQ(pthread_cancel(pthread_self()), 0);
    (void)usleep(1);
    return arg;
}

__attribute__((no_sanitize("undefined"))) static void *wait_and_fault(void *arg)
{
    (void)wait_cancelled(arg);
    *nowhere = 1;
    return arg;
}

static void *wait_on_parent(moat_co *self, void *input)
{
    return moat_call_on_parent(self, wait_cancelled, input);
}

static void *wait_for_guest(moat_co *self, void *input)
{
    return moat_call_for_guest(self, wait_cancelled, NULL, input);
}

static void *fault_for_guest(moat_co *self, void *input)
{
    return moat_call_for_guest(self, wait_and_fault, NULL, input);
}

static void *resume_another(moat_co *self, void *input)
{
    moat_co *inner = guest_create(fault_for_guest);

    (void)self;
    EXPECT_EQ(guest_resume(inner, input).kind, MOAT_EVENT_TRAP);
    moat_co_destroy(inner);
    return input;
}

static int state_of_cancellation(void)
{
    int state = -1;

    EXPECT_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state), 0);
    EXPECT_EQ(pthread_setcancelstate(state, NULL), 0);
    return state;
}

static void *park_in_call(void *arg)
{
    moat_parked *parked = moat_guest_park();

    EXPECT_EQ(state_of_cancellation(), PTHREAD_CANCEL_ENABLE);
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_OK);
    EXPECT_EQ(state_of_cancellation(), PTHREAD_CANCEL_DISABLE);
    return arg;
}

static void *park_on_parent(moat_co *self, void *input)
{
    input = moat_call_on_parent(self, park_in_call, input);
    EXPECT_EQ(state_of_cancellation(), PTHREAD_CANCEL_ENABLE);
    return input;
}

/* The thread does something else then. */
static void a_parked_guest_delays_no_cancellation(const void *arg)
{
    moat_co *co = guest_create(park_on_parent);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

struct waiter {
    moat_entry entry;
    moat_event_kind kind;
};

static __attribute__((noinline)) void run_waiter(const struct waiter *waiter)
{
    moat_co *co = guest_create(waiter->entry);

    EXPECT_EQ(guest_resume(co, co).kind, waiter->kind);
    moat_co_destroy(co);
}

static void *wait_in_host_call(void *arg)
{
    run_waiter(arg);
    atomic_fetch_add(&returned, 1);
    pthread_testcancel();
    return NULL;
}

/* The frames beyond the call's are on another stack. */
static void a_cancellation_waits_for_a_host_call(const void *arg)
{
    static const struct waiter waiters[] = {
        {wait_on_parent, MOAT_EVENT_RETURN},
        {wait_for_guest, MOAT_EVENT_RETURN},
        {fault_for_guest, MOAT_EVENT_TRAP},
        {resume_another, MOAT_EVENT_RETURN},
    };

    (void)arg;
    begin();
    for (size_t i = 0; i < sizeof waiters / sizeof waiters[0]; i++) {
        expect_context("waiter %zu", i);
        EXPECT(on_thread(wait_in_host_call, (const void *)&waiters[i]) ==
               PTHREAD_CANCELED);
        EXPECT_EQ(atomic_load(&returned), i + 1);
    }
}

/* ---- In a call that the guest makes ---- */

#define SLICE_NS UINT64_C(20000)

static int type_of_cancellation(void)
{
    int type = -1;

    EXPECT_EQ(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type), 0);
    EXPECT_EQ(pthread_setcanceltype(type, NULL), 0);
    return type;
}

/* With more than one thread the C library waits asynchronously cancellable. */
static void *wait_for_ever(moat_co *self, void *input)
{
    const struct timespec time = {0, 1000};

    (void)self;
    (void)input;
    for (;;)
        (void)nanosleep(&time, NULL);
    return NULL;
}

static moat_co *create_waiting(uint64_t slice_ns, uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.slice_ns = slice_ns;
    limits.wall_ns = wall_ns;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, wait_for_ever, &options) == MOAT_OK);
    return co;
}

static void *stop_in_a_wait(void *arg)
{
    for (unsigned i = 0; i < 20; i++) {
        moat_co *co = create_waiting(0, 1000000);

        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(type_of_cancellation(), PTHREAD_CANCEL_DEFERRED);
        moat_co_destroy(co);
    }
    return arg;
}

static void *suspend_in_a_wait(void *arg)
{
    moat_co *co = create_waiting(SLICE_NS, 0);

    for (unsigned i = 0; i < 200; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
        EXPECT_EQ(type_of_cancellation(), PTHREAD_CANCEL_DEFERRED);
    }
    moat_co_destroy(co);
    return arg;
}

static void a_stop_in_a_wait_leaves_cancellation_deferred(const void *arg)
{
    (void)on_thread(stop_in_a_wait, arg);
    (void)on_thread(suspend_in_a_wait, arg);
}

/* The timer's handler may be running then: the C library must not unwind it. */
static void *wait_until_cancelled(void *arg)
{
    moat_co *co = create_waiting(SLICE_NS, 0);
    moat_event event;

    do {
        event = guest_resume(co, NULL);
    } while (event.kind == MOAT_EVENT_PREEMPT);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    return arg;
}

static void a_cancellation_of_a_sliced_guest_is_its_trap(const void *arg)
{
    for (unsigned i = 0; i < 300; i++) {
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, wait_until_cancelled,
                               (void *)(uintptr_t)arg) == 0);
        (void)usleep(2000 + i * 53);
        EXPECT_EQ(pthread_cancel(thread), 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    }
}

#define SLICED_CASE(function)                                                 \
    {                                                                         \
#        function, function, NULL, UNDER_TSAN ? "signals are delayed" : NULL, \
            0, 0                                                              \
    }

static const struct child_case cases[] = {
    CHILD_CASE(no_function_is_a_cancellation_point),
    CHILD_CASE(nor_is_it_one_for_a_guest),
    CHILD_CASE(a_watchdog_cancels_a_thread),
    CHILD_CASE(a_cancellation_waits_for_a_host_call),
    CHILD_CASE(a_parked_guest_delays_no_cancellation),
    CHILD_CASE(a_thread_that_disabled_cancellation_keeps_it_so),
    SLICED_CASE(a_stop_in_a_wait_leaves_cancellation_deferred),
    SLICED_CASE(a_cancellation_of_a_sliced_guest_is_its_trap),
};

int main(int argc, char **argv)
{
    return child_cases_run("cancellation", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
