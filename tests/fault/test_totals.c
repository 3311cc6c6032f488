/*
 * test_totals.c: limits over a coroutine's life, what it has used, and which
 * limit a trap was about.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

static moat_co *create(moat_entry entry, const moat_limits *limits,
                       uint64_t flags)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.limits = limits;
    options.flags = flags;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_usage usage_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    return usage;
}

static void expect_limit(const moat_co *co, moat_limit limit, uint64_t asked)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    EXPECT_STR(moat_limit_name(info.limit), moat_limit_name(limit));
    EXPECT_EQ(info.limit_asked, asked);
    EXPECT(info.limit_used >= asked);
}

static void spin_for(clockid_t clock, uint64_t ns)
{
    uint64_t until = clock_ns(clock) + ns;

    while (clock_ns(clock) < until)
        continue;
}

/* ---- Totals ---- */

/* Each resume is much shorter than what a timer would find. */
static void *spin_and_yield(moat_co *self, void *input)
{
    for (;;) {
        spin_for(CLOCK_MONOTONIC, MS / 20);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

/* Returns how much of the clock the resumes took, up to the trap. */
static uint64_t resume_to_the_trap(moat_co *co, clockid_t clock)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    uint64_t spent = 0;

    while (event.kind == MOAT_EVENT_YIELD) {
        uint64_t start = clock_ns(clock);

        event = guest_resume(co, NULL);
        spent += clock_ns(clock) - start;
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    return spent;
}

static void expect_total(const moat_limits *limits, clockid_t clock,
                         moat_limit limit, uint64_t asked)
{
    moat_co *co = create(spin_and_yield, limits, 0);

    for (int i = 0; i < 2; i++) {
        EXPECT(resume_to_the_trap(co, clock) >= asked);
        expect_limit(co, limit, asked);
        /* On a busy machine the first resume may take all of the real time. */
        EXPECT(usage_of(co).resumes > (limits->total_cpu_ns != 0 ? 1 : 0));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(usage_of(co).resumes, 0);
        EXPECT_EQ(usage_of(co).wall_ns, 0);
    }
    moat_co_destroy(co);
}

static void short_resumes_use_up_a_total_of_cpu_time(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.total_cpu_ns = 30 * MS;
    limits.wall_ns = 100000 * MS;
    expect_total(&limits, CLOCK_WITH_GUESTS, MOAT_LIMIT_TOTAL_CPU, 30 * MS);
}

static void short_resumes_use_up_a_total_of_real_time(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.total_wall_ns = 30 * MS;
    limits.resume_cpu_ns = 100000 * MS;
    expect_total(&limits, CLOCK_MONOTONIC, MOAT_LIMIT_TOTAL_WALL, 30 * MS);
}

static void *yield_at_once(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return input;
}

static void *transfer_at_once(moat_co *self, void *input)
{
    for (;;)
        REQUIRE(moat_co_switch_to(self, moat_co_user(self), NULL, &input) ==
                MOAT_OK);
    return input;
}

/* The timer never meets such a guest. */
static void the_shortest_resumes_use_up_a_total(const void *transfers)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co, *partner = create(yield_at_once, NULL, 0);
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    options.limits = &limits;
    options.user = partner;
    for (int wall = 0; wall < 2; wall++) {
        limits.total_cpu_ns = wall ? 0 : 3 * MS;
        limits.total_wall_ns = wall ? 3 * MS : 0;
        REQUIRE(moat_co_create(&co,
                               transfers ? transfer_at_once : yield_at_once,
                               &options) == MOAT_OK);
        do
            event = guest_resume(co, NULL);
        while (event.kind == MOAT_EVENT_YIELD);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        expect_limit(co, wall ? MOAT_LIMIT_TOTAL_WALL : MOAT_LIMIT_TOTAL_CPU,
                     3 * MS);
        moat_co_destroy(co);
    }
    moat_co_destroy(partner);
}

static void *use_up_and_yield(moat_co *self, void *input)
{
    spin_for(*(const clockid_t *)input, 10 * MS);
    *(void **)moat_co_user(self) = moat_co_yield(self, NULL);
    return NULL;
}

static void expect_frames(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_frame frames[32];
    size_t count = 0;

    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT(info.pc != 0 && info.sp != 0);
    EXPECT_EQ(moat_co_backtrace(co, frames, 32, &count), MOAT_OK);
    EXPECT(count > 0);
}

/* With the timer's signal blocked, so that it does not stop the guest. */
static void resume_undisturbed(moat_co *co, void *input)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    EXPECT_EQ(guest_resume(co, input).kind, MOAT_EVENT_YIELD);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void a_used_up_guest_never_runs_again(const void *clock)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    bool cpu = *(const clockid_t *)clock == CLOCK_THREAD_CPUTIME_ID;
    void *got = NULL;
    moat_co *co;

    limits.total_cpu_ns = cpu ? 3 * MS : 0;
    limits.total_wall_ns = cpu ? 0 : 3 * MS;
    options.limits = &limits;
    options.user = &got;
    REQUIRE(moat_co_create(&co, use_up_and_yield, &options) == MOAT_OK);
    /* The first limited resume of a thread unblocks the signal. */
    EXPECT_EQ(
        guest_resume(guest_create_limited(guest_echo, 0, 3600000 * MS), NULL)
            .kind,
        MOAT_EVENT_YIELD);
    for (int i = 0; i < 2; i++) {
        resume_undisturbed(co, (void *)(uintptr_t)clock);
        EXPECT_EQ(guest_resume(co, &got).kind, MOAT_EVENT_TRAP);
        EXPECT(got == NULL);
        expect_limit(co, cpu ? MOAT_LIMIT_TOTAL_CPU : MOAT_LIMIT_TOTAL_WALL,
                     3 * MS);
        EXPECT_EQ(usage_of(co).resumes, 1);
        expect_frames(co);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    /* It may clean up. */
    EXPECT_EQ(moat_co_cancel(co, &(moat_event){0}), MOAT_OK);
    moat_co_destroy(co);
}

static void a_loop_uses_up_a_total(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    uint64_t start = clock_ns(CLOCK_WITH_GUESTS);
    moat_co *co;

    (void)arg;
    limits.total_cpu_ns = 20 * MS;
    co = create(guest_loop, &limits, 0);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT(clock_ns(CLOCK_WITH_GUESTS) - start >= 20 * MS);
    expect_limit(co, MOAT_LIMIT_TOTAL_CPU, 20 * MS);
    moat_co_destroy(co);
}

/* The total of a spare begins anew, too. */
static void a_spares_total_is_its_own(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    (void)arg;
    limits.total_wall_ns = 2000 * MS;
    for (int i = 0; i < 50; i++) {
        co = create(guest_echo, &limits, 0);
        EXPECT_EQ(usage_of(co).wall_ns, 0);
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        EXPECT(usage_of(co).wall_ns < 2000 * MS);
        EXPECT_EQ(usage_of(co).resumes, 1);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        moat_co_destroy(co);
    }
}

static void a_life_that_was_cancelled_first_has_used_nothing(const void *arg)
{
    moat_co *co = create(spin_and_yield, NULL, MOAT_CO_EXACT_USAGE);
    moat_event event;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(usage_of(co).resumes, 1);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(usage_of(co).resumes, 0);
    EXPECT_EQ(usage_of(co).wall_ns, 0);
    EXPECT_EQ(usage_of(co).cpu_ns, 0);
    moat_co_destroy(co);
}

/* ---- Which limit ---- */

static void *resume_loop(moat_co *self, void *input)
{
    EXPECT_EQ(guest_resume(input, NULL).kind, MOAT_EVENT_TRAP);
    return guest_loop(self, input);
}

static void a_trap_names_the_limit(const void *arg)
{
    moat_co *cpu = guest_create_limited(guest_loop, 10 * MS, 9000 * MS);
    moat_co *wall = guest_create_limited(guest_loop, 9000 * MS, 10 * MS);
    moat_co *inner = guest_create_limited(guest_loop, 0, 9000 * MS);
    moat_co *outer = guest_create_limited(resume_loop, 0, 20 * MS);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *fault = guest_create(guest_write_null);

    (void)arg;
    EXPECT_EQ(guest_resume(cpu, NULL).kind, MOAT_EVENT_TRAP);
    expect_limit(cpu, MOAT_LIMIT_RESUME_CPU, 10 * MS);
    EXPECT_EQ(guest_resume(wall, NULL).kind, MOAT_EVENT_TRAP);
    expect_limit(wall, MOAT_LIMIT_WALL, 10 * MS);
    EXPECT_EQ(guest_resume(outer, inner).kind, MOAT_EVENT_TRAP);
    expect_limit(inner, MOAT_LIMIT_WALL, 20 * MS);
    expect_limit(outer, MOAT_LIMIT_WALL, 20 * MS);
    EXPECT_EQ(guest_resume(fault, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(fault, &info), MOAT_OK);
    EXPECT_EQ(info.limit, MOAT_LIMIT_NONE);
    EXPECT_EQ(info.limit_asked, 0);
}

static void *loop_or_fault(moat_co *self, void *input)
{
    return input == NULL ? guest_loop(self, input)
                         : guest_write_null(self, input);
}

/* The record is the same. */
static void a_fault_after_a_limit_names_none(const void *arg)
{
    moat_co *co = guest_create_limited(loop_or_fault, 10 * MS, 0);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    expect_limit(co, MOAT_LIMIT_RESUME_CPU, 10 * MS);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(guest_resume(co, &arg).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(info.limit, MOAT_LIMIT_NONE);
    EXPECT_EQ(info.limit_asked, 0);
    moat_co_destroy(co);
}

static void *outstay(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_enter();
    while (!moat_poll())
        continue;
    moat_notrap_leave();
    return input;
}

static void a_trap_that_waited_names_it_too(const void *arg)
{
    moat_co *co = guest_create_limited(outstay, 0, 10 * MS);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    expect_limit(co, MOAT_LIMIT_WALL, 10 * MS);
    moat_co_destroy(co);
}

static void reports_name_the_limit(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 0, 10 * MS);
    char *text, *json;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    text = guest_report(moat_co_print_report, co);
    json = guest_report(moat_co_write_json, co);
    if (text == NULL || json == NULL)
        return; /* this build has no unwinder */
    EXPECT(strstr(text, "  limit    time per resume: 10.000 ms, used ") !=
           NULL);
    EXPECT(strstr(json, "\"limit\":\"MOAT_LIMIT_WALL\"") != NULL);
    EXPECT(strstr(json, "\"limit_asked\":10000000,") != NULL);
}

static void names_and_texts(const void *arg)
{
    (void)arg;
    EXPECT_STR(moat_limit_str(MOAT_LIMIT_NONE), "none");
    EXPECT_STR(moat_limit_str(MOAT_LIMIT_TOTAL_CPU), "total CPU time");
    EXPECT_STR(moat_limit_str((moat_limit)99), "unknown limit");
    EXPECT_STR(moat_limit_name((moat_limit)99), "MOAT_LIMIT_?");
    EXPECT_EQ(MOAT_LIMIT_SYSCALL, 6);
}

/* ---- Use ---- */

static void *sleep_and_spin(moat_co *self, void *input)
{
    const struct timespec twenty_ms = {0, 20000000};
    moat_usage usage;

    spin_for(CLOCK_THREAD_CPUTIME_ID, 5 * MS);
    usage = usage_of(self);
    EXPECT(usage.cpu_ns >= 5 * MS);
    EXPECT_EQ(usage.resumes, 1);
    (void)nanosleep(&twenty_ms, NULL);
    input = moat_co_yield(self, input);
    (void)nanosleep(&twenty_ms, NULL);
    return input;
}

static void use_is_counted_exactly(const void *arg)
{
    moat_co *co = create(sleep_and_spin, NULL, MOAT_CO_EXACT_USAGE);
    uint64_t cpu = clock_ns(CLOCK_WITH_GUESTS);
    uint64_t wall = clock_ns(CLOCK_MONOTONIC);
    moat_usage usage = usage_of(co);

    (void)arg;
    EXPECT_EQ(usage.counted, MOAT_USAGE_WALL | MOAT_USAGE_CPU);
    EXPECT_EQ(usage.resumes, 0);
    EXPECT_EQ(guest_resume(co, co).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(co, co).kind, MOAT_EVENT_RETURN);
    usage = usage_of(co);
    EXPECT_EQ(usage.resumes, 2);
    EXPECT(usage.wall_ns >= 45 * MS);
    EXPECT(usage.wall_ns <= clock_ns(CLOCK_MONOTONIC) - wall);
    EXPECT(usage.cpu_ns >= 5 * MS);
    EXPECT(usage.cpu_ns <= clock_ns(CLOCK_WITH_GUESTS) - cpu);
    EXPECT(usage.stack_peak > 0);
    EXPECT_EQ(usage.heap_bytes, 0);
    moat_co_destroy(co);
}

static void *take_some(moat_co *self, void *input)
{
    void *block = moat_heap_alloc(moat_co_heap(self), 10000);

    EXPECT(block != NULL);
    return moat_co_yield(self, input);
}

static void the_heap_is_in_it(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_usage usage;
    moat_co *co;

    (void)arg;
    limits.memory_bytes = 1 << 20;
    co = create(take_some, &limits, 0);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    usage = usage_of(co);
    EXPECT(usage.heap_bytes >= 10000);
    EXPECT(usage.heap_peak >= usage.heap_bytes);
    EXPECT_EQ(usage.counted, 0);
    EXPECT_EQ(usage.wall_ns, 0);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
}

/* By a transfer one leaves and the other is entered. */
static moat_co *first, *second;

static void *nap_and_transfer(moat_co *self, void *input)
{
    const struct timespec ten_ms = {0, 10000000};
    void *got = NULL;

    (void)nanosleep(&ten_ms, NULL);
    EXPECT_EQ(moat_co_switch_to(self, second, input, &got), MOAT_OK);
    return got;
}

static void *nap(moat_co *self, void *input)
{
    const struct timespec thirty_ms = {0, 30000000};

    (void)self;
    (void)nanosleep(&thirty_ms, NULL);
    return input;
}

static void a_transfer_divides_the_time(const void *arg)
{
    uint64_t flags[2][2] = {{0, MOAT_CO_EXACT_USAGE},
                            {MOAT_CO_EXACT_USAGE, MOAT_CO_EXACT_USAGE}};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        uint64_t start = clock_ns(CLOCK_MONOTONIC), all;

        first = create(nap_and_transfer, NULL, flags[i][0]);
        second = create(nap, NULL, flags[i][1]);
        EXPECT(guest_resume(first, NULL).co == second);
        all = clock_ns(CLOCK_MONOTONIC) - start;
        EXPECT(usage_of(second).wall_ns >= 30 * MS);
        EXPECT_EQ(usage_of(second).resumes, 1);
        EXPECT(usage_of(first).wall_ns + usage_of(second).wall_ns <= all);
        EXPECT(i == 0 || usage_of(first).wall_ns >= 10 * MS);
        EXPECT_EQ(moat_co_reset(first), MOAT_OK);
        moat_co_destroy(first);
        moat_co_destroy(second);
    }
}

static void bad_arguments(const void *arg)
{
    moat_co *co = guest_create(guest_echo);
    moat_usage usage = MOAT_USAGE_INIT;

    (void)arg;
    EXPECT_EQ(moat_co_usage(NULL, &usage), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_usage(co, NULL), MOAT_E_INVAL);
    usage.struct_size = 0;
    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_E_INVAL);
    moat_co_destroy(co);
}

#define DELAYED (UNDER_TSAN ? "signals are delayed" : NULL)
#define CASE(function, skip)                  \
    {                                         \
#        function, function, NULL, skip, 0, 0 \
    }

static const struct child_case cases[] = {
    CASE(short_resumes_use_up_a_total_of_cpu_time, DELAYED),
    CASE(short_resumes_use_up_a_total_of_real_time, DELAYED),
    CASE(the_shortest_resumes_use_up_a_total, NULL),
    {"the_shortest_transfers_use_up_a_total",
     the_shortest_resumes_use_up_a_total, "", NULL, 0, 0},
    {"a_guest_that_used_up_its_cpu_time_never_runs_again",
     a_used_up_guest_never_runs_again,
     &(const clockid_t){CLOCK_THREAD_CPUTIME_ID}, NULL, 0, 0},
    {"a_guest_that_used_up_its_time_never_runs_again",
     a_used_up_guest_never_runs_again, &(const clockid_t){CLOCK_MONOTONIC},
     NULL, 0, 0},
    CASE(a_loop_uses_up_a_total, DELAYED),
    CASE(a_spares_total_is_its_own, NULL),
    CASE(a_life_that_was_cancelled_first_has_used_nothing, NULL),
    CASE(a_trap_names_the_limit, DELAYED),
    CASE(a_fault_after_a_limit_names_none, DELAYED),
    CASE(a_trap_that_waited_names_it_too, DELAYED),
    CASE(reports_name_the_limit, DELAYED),
    CASE(names_and_texts, NULL),
    CASE(use_is_counted_exactly, NULL),
    CASE(the_heap_is_in_it, NULL),
    CASE(a_transfer_divides_the_time, NULL),
    CASE(bad_arguments, NULL),
};

int main(int argc, char **argv)
{
    return child_cases_run("totals and use", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
