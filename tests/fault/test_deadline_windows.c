/*
 * test_deadline_windows.c: deadlines that expire where a guest cannot be
 * stopped at once, or where they are easily missed: in the library's own code,
 * in the section of an inner guest, off the guest's stack. None is lost or
 * early, and none leaks a lock or a descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"

#define ROUNDS      300
#define CALL_ROUNDS 3000

/* ---- In a section that is never left ---- */

struct outstay {
    uint64_t until; /* when the limit has certainly passed */
    bool yields;
    volatile int step;
};

static void *outstay_and_stay(moat_co *self, void *input)
{
    struct outstay *plan = input;

    moat_notrap_enter();
    spin_until(plan->until);
    plan->step = 1;
    if (plan->yields)
        (void)moat_co_yield(self, NULL);
    return NULL;
}

static void *resume_one_that_outstays(moat_co *self, void *input)
{
    struct outstay *plan = input;
    moat_co *inner = guest_create(outstay_and_stay);

    EXPECT_EQ(guest_resume(inner, plan).kind,
              plan->yields ? MOAT_EVENT_YIELD : MOAT_EVENT_RETURN);
    plan->step = 2;
    return guest_loop(self, input);
}

static void expect_the_outer_is_cut(bool inner_yields)
{
    moat_co *outer =
        guest_create_limited(resume_one_that_outstays, 0, 300 * MS);
    struct outstay plan = {.yields = inner_yields};

    plan.until = clock_ns(CLOCK_MONOTONIC) + 400 * MS;
    guest_expect_trap(outer, &plan, MOAT_TRAP_DEADLINE);
    EXPECT(plan.step >= 1);
    moat_co_destroy(outer);
}

static void
an_inner_guest_that_yields_in_its_section_does_not_save_the_outer_one(
    const void *arg)
{
    (void)arg;
    expect_the_outer_is_cut(true);
}

static void
an_inner_guest_that_returns_in_its_section_does_not_save_the_outer_one(
    const void *arg)
{
    (void)arg;
    expect_the_outer_is_cut(false);
}

/* ---- In the library's own code ---- */

static int null_device;

/* libdw opens each module once and keeps it open. */
static void open_all_modules(void)
{
    moat_frame frames[64];
    size_t count = 0;
    char text[512];

    (void)moat_backtrace(frames, 64, &count);
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(moat_frame_describe(&frames[i], text, sizeof(text)), MOAT_OK);
}

/* Interrupts a guest in the loop `entry` again and again, each time a little
 * later, and lets the host do the same operation after each. */
static void cut_in_the_loop_of(moat_entry entry, moat_co *subject,
                               uint64_t shortest_ns, uint64_t step_ns,
                               void (*host)(moat_co *))
{
    int descriptors;

    open_all_modules();
    host(subject);
    descriptors = descriptors_open();
    REQUIRE(descriptors > 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        moat_co *guest =
            guest_create_limited(entry, 0, shortest_ns + i * step_ns);

        expect_context("round %u", i);
        guest_expect_trap(guest, subject, MOAT_TRAP_DEADLINE);
        moat_co_destroy(guest);
        host(subject);
        REQUIRE(expect_failures() == 0);
    }
    EXPECT_EQ(descriptors_open(), descriptors);
}

static void ask_the_engine(moat_co *subject)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, subject == NULL ? 0 : 1);
}

static void *init_for_ever(moat_co *self, void *input)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)self;
    (void)input;
    for (;;)
        (void)!moat_engine_init(&options);
    return NULL;
}

static void *init_otherwise_for_ever(moat_co *self, void *input)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)self;
    (void)input;
    options.guard = MOAT_GUARD_MPROTECT;
    for (;;)
        (void)!moat_engine_init(&options);
    return NULL;
}

static void *get_info_for_ever(moat_co *self, void *input)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)self;
    (void)input;
    for (;;)
        (void)!moat_engine_get_info(&info);
    return NULL;
}

static void a_guest_cut_in_engine_init_leaves_the_engine_usable(const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(init_for_ever, NULL, 300000, 700, ask_the_engine);
    cut_in_the_loop_of(init_otherwise_for_ever, NULL, 300000, 700,
                       ask_the_engine);
}

static void a_guest_cut_in_engine_get_info_leaves_neither_lock_nor_descriptor(
    const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(get_info_for_ever, NULL, 300000, 700, ask_the_engine);
}

/* ---- Between two of many new coroutines ---- */

#define CROWD ((size_t)20000)

static moat_co *crowd[CROWD];
static size_t crowd_made;

static void *create_many(moat_co *self, void *input)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = 4096;
    EXPECT_EQ(
        moat_co_create_n(crowd, guest_echo, &options, NULL, CROWD, &crowd_made),
        MOAT_OK);
    return guest_loop(self, input);
}

/* All coroutines that exist by then belong to the host. */
static void a_guest_cut_among_many_that_it_makes_loses_none(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    for (unsigned i = 0; i < 40; i++) {
        moat_co *guest =
            guest_create_limited(create_many, 0, 50000 + i * 100000);

        expect_context("round %u", i);
        guest_expect_trap(guest, NULL, MOAT_TRAP_DEADLINE);
        EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
        EXPECT_EQ(info.live, 1 + crowd_made);
        for (size_t j = 0; j < crowd_made; j++) {
            REQUIRE(moat_co_get_state(crowd[j]) == MOAT_CO_FRESH);
            moat_co_destroy(crowd[j]);
        }
        crowd_made = 0;
        moat_co_destroy(guest);
        REQUIRE(expect_failures() == 0);
    }
}

/* ---- In the library's reports ---- */

static moat_co *trapped_subject(void)
{
    moat_co *subject = guest_create(guest_write_null);

    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(null_device >= 0);
    guest_expect_trap(subject, NULL, MOAT_TRAP_NULL);
    return subject;
}

static void measure_the_stack(moat_co *subject)
{
    moat_stack_info info = {0, 0, 0, 0, 0};

    EXPECT_EQ(moat_co_stack_info(subject, &info), MOAT_OK);
    EXPECT(info.high_water > 0);
}

static void *measure_for_ever(moat_co *self, void *input)
{
    moat_stack_info info;

    (void)self;
    for (;;)
        (void)!moat_co_stack_info(input, &info);
    return NULL;
}

static void a_guest_cut_in_stack_info_leaves_no_descriptor(const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(measure_for_ever, trapped_subject(), 200000, 300,
                       measure_the_stack);
}

static void write_json(moat_co *subject)
{
    moat_status status = moat_co_write_json(subject, null_device);

    EXPECT(status == MOAT_OK || status == MOAT_E_UNSUPPORTED);
}

static void *write_json_for_ever(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        (void)!moat_co_write_json(input, null_device);
    return NULL;
}

static void
a_guest_cut_in_write_json_leaves_the_hosts_next_one_whole(const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(write_json_for_ever, trapped_subject(), 1 * MS, 7000,
                       write_json);
}

static void print_report(moat_co *subject)
{
    EXPECT_EQ(moat_co_print_report(subject, null_device), MOAT_OK);
}

static void *print_reports_for_ever(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        (void)!moat_co_print_report(input, null_device);
    return NULL;
}

static void
a_guest_cut_in_print_report_leaves_the_hosts_next_one_whole(const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(print_reports_for_ever, trapped_subject(), 1 * MS, 7000,
                       print_report);
}

static void describe_first_frame(moat_co *subject)
{
    moat_frame frames[64];
    size_t count = 0;
    char text[512] = "";

    EXPECT_EQ(moat_co_backtrace(subject, frames, 64, &count), MOAT_OK);
    REQUIRE(count > 0);
    EXPECT_EQ(moat_frame_describe(&frames[0], text, sizeof(text)), MOAT_OK);
    EXPECT(text[0] != '\0');
}

static void *describe_for_ever(moat_co *self, void *input)
{
    moat_frame frame;
    size_t count = 0;
    char text[512];

    (void)self;
    (void)input;
    (void)moat_backtrace(&frame, 1, &count);
    for (;;)
        (void)!moat_frame_describe(&frame, text, sizeof(text));
    return NULL;
}

static void
a_guest_cut_in_frame_describe_leaves_the_hosts_next_one_whole(const void *arg)
{
    (void)arg;
    cut_in_the_loop_of(describe_for_ever, trapped_subject(), 300000, 2000,
                       describe_first_frame);
}

/* ---- In the library's own free ---- */

static bool frees_slowly; /* when the library calls it on a guest's stack */

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block)
{
    if (frees_slowly && moat_co_current() != NULL)
        spin_until(clock_ns(CLOCK_MONOTONIC) + 100 * MS);
    __real_free(block);
}

static unsigned deferred_calls;

static void count_a_call(void *arg)
{
    (void)arg;
    deferred_calls++;
}

static void *destroy_input(moat_co *self, void *input)
{
    (void)self;
    moat_co_destroy(input);
    return NULL;
}

/* The guest is stopped after the call: no function is lost, and no lock of the
 * heap is left held. */
static void a_guest_is_not_cut_where_the_library_frees(const void *arg)
{
    moat_co *subject = guest_create(guest_echo);
    moat_co *guest = guest_create_limited(destroy_input, 0, 20 * MS);
    const char *lock = "";

    (void)arg;
    EXPECT_EQ(moat_co_defer(subject, count_a_call, NULL), MOAT_OK);
    EXPECT_EQ(moat_co_defer(subject, count_a_call, NULL), MOAT_OK);
    frees_slowly = true;
    guest_expect_trap(guest, subject, MOAT_TRAP_DEADLINE);
    frees_slowly = false;
    EXPECT_EQ(moat_co_lock_function(guest, &lock), MOAT_OK);
    EXPECT(lock == NULL);
    EXPECT_EQ(deferred_calls, 1);
    EXPECT_EQ(moat_co_get_state(subject), MOAT_CO_DONE);
    moat_co_destroy(subject);
    EXPECT_EQ(deferred_calls, 2);
    moat_co_destroy(guest);
}

/* ---- On the way to the resumer's stack and back ---- */

static void *do_nothing(void *arg)
{
    return arg;
}

static void *call_for_ever(moat_co *self, void *input)
{
    for (;;)
        (void)moat_call_on_parent(self, do_nothing, input);
    return NULL;
}

static void *resume_one_that_calls(moat_co *self, void *input)
{
    EXPECT_EQ(guest_resume(input, NULL).kind, MOAT_EVENT_TRAP);
    return guest_loop(self, input);
}

/* The resumer is never stopped first, with its guest in the middle of a
 * call. */
static void a_deadline_at_a_services_border_cuts_the_guest_before_its_resumer(
    const void *arg)
{
    moat_co *inner = guest_create(call_for_ever);

    (void)arg;
    for (unsigned i = 0; i < CALL_ROUNDS; i++) {
        moat_co *outer =
            guest_create_limited(resume_one_that_calls, 0, 50000 + i * 37);

        expect_context("round %u", i);
        guest_expect_trap(outer, inner, MOAT_TRAP_DEADLINE);
        REQUIRE(moat_co_get_state(inner) == MOAT_CO_TRAPPED ||
                moat_co_get_state(inner) == MOAT_CO_FRESH);
        EXPECT_EQ(moat_co_reset(inner), MOAT_OK);
        moat_co_destroy(outer);
    }
    moat_co_destroy(inner);
}

/* ---- Off the guest's stack ---- */

static void *loop_with_smashed_rsp(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq $0x10, %%rsp\n1:\tpause\n\tjmp 1b" : : : "memory");
    return input;
}

static char inner_stack[64 << 10] __attribute__((aligned(64)));

static void *loop_on_a_stack_of_its_own(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %0, %%rsp\n"
                     "1:\tpushq $1\n\tpopq %%rax\n\tjmp 1b"
                     :
                     : "r"(inner_stack + sizeof(inner_stack) - 64)
                     : "rax", "memory");
    return input;
}

static void expect_cut_again_and_again(moat_entry entry)
{
    moat_co *co = guest_create_limited(entry, 0, 5 * MS);

    for (int i = 0; i < 5; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
        null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
        EXPECT_EQ(moat_co_print_report(co, null_device), MOAT_OK);
        (void)close(null_device);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void a_guest_whose_stack_pointer_is_smashed_is_cut(const void *arg)
{
    (void)arg;
    expect_cut_again_and_again(loop_with_smashed_rsp);
}

static void a_guest_on_a_stack_of_its_own_making_is_cut(const void *arg)
{
    (void)arg;
    expect_cut_again_and_again(loop_on_a_stack_of_its_own);
}

/* ---- After the time to look at the clock has passed ---- */

#define INNER_RESUMES 10000

static unsigned timer_sets; /* the library's calls of timer_settime */

int __real_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);
int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);

int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before)
{
    timer_sets++;
    return __real_timer_settime(timer, flags, when, before);
}

/* Sleeps longer than its CPU limit, then resumes. */
static void *sleep_then_resume_often(moat_co *self, void *input)
{
    const struct timespec nap = {0, 500000000};
    moat_co *inner = guest_create_limited(guest_echo, 0, 1000000 * MS);

    (void)nanosleep(&nap, NULL);
    timer_sets = 0;
    for (unsigned i = 0; i < INNER_RESUMES; i++)
        EXPECT_EQ(guest_resume(inner, NULL).kind, MOAT_EVENT_YIELD);
    *(unsigned *)input = timer_sets;
    return guest_loop(self, input);
}

/* The rest of the outer limit is read once, not at each inner resume. */
static void
a_guest_that_slept_resumes_others_without_a_timer_call_each_and_is_not_early(
    const void *arg)
{
    moat_co *outer = guest_create_limited(sleep_then_resume_often, 400 * MS, 0);
    uint64_t start = clock_ns(CLOCK_WITH_GUESTS);
    unsigned sets = INNER_RESUMES;

    (void)arg;
    guest_expect_trap(outer, &sets, MOAT_TRAP_DEADLINE);
    EXPECT(clock_ns(CLOCK_WITH_GUESTS) - start >= 400 * MS);
    EXPECT(sets < INNER_RESUMES / 10);
    moat_co_destroy(outer);
}

static const struct child_case cases[] = {
    CHILD_CASE(
        an_inner_guest_that_yields_in_its_section_does_not_save_the_outer_one),
    CHILD_CASE(
        an_inner_guest_that_returns_in_its_section_does_not_save_the_outer_one),
    CHILD_CASE(a_guest_cut_in_engine_init_leaves_the_engine_usable),
    CHILD_CASE(
        a_guest_cut_in_engine_get_info_leaves_neither_lock_nor_descriptor),
    CHILD_CASE(a_guest_cut_among_many_that_it_makes_loses_none),
    CHILD_CASE(a_guest_cut_in_stack_info_leaves_no_descriptor),
    CHILD_CASE(a_guest_cut_in_write_json_leaves_the_hosts_next_one_whole),
    CHILD_CASE(a_guest_cut_in_print_report_leaves_the_hosts_next_one_whole),
    CHILD_CASE(a_guest_cut_in_frame_describe_leaves_the_hosts_next_one_whole),
    CHILD_CASE(a_guest_is_not_cut_where_the_library_frees),
    CHILD_CASE(
        a_deadline_at_a_services_border_cuts_the_guest_before_its_resumer),
    CHILD_CASE(a_guest_whose_stack_pointer_is_smashed_is_cut),
    CHILD_CASE(a_guest_on_a_stack_of_its_own_making_is_cut),
    CHILD_CASE(
        a_guest_that_slept_resumes_others_without_a_timer_call_each_and_is_not_early),
};

int main(int argc, char **argv)
{
    return child_cases_run("no deadline is lost, and none leaks anything",
                           cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
