/*
 * test_limits.c: time limits, no-trap sections, traps raised on purpose, stack
 * bounds. Nothing here measures how late a deadline is, only that it comes,
 * never early, and in which order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/cpu_state.h"
#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"

static moat_trap_kind kind_of(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    return info.kind;
}

/* The deadline stopped the coroutine, and the record says so. */
static void expect_deadline(const moat_co *co, moat_event event)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_get_state(co) == MOAT_CO_TRAPPED);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(info.address, 0);
    EXPECT_EQ(info.access, MOAT_ACCESS_NONE);
    EXPECT(info.regs != NULL);
    EXPECT(info.pc != 0);
}

/* ---- Guests ---- */

static void *sleep_for_ever(moat_co *self, void *input)
{
    const struct timespec ten_ms = {0, 10000000};

    (void)self;
    (void)input;
    for (;;)
        (void)nanosleep(&ten_ms, NULL);
    return NULL;
}

static void *nap_and_return(moat_co *self, void *input)
{
    const struct timespec fifty_ms = {0, 50000000};

    (void)self;
    (void)nanosleep(&fifty_ms, NULL);
    return input;
}

static void spin_for(clockid_t clock, uint64_t ns)
{
    uint64_t until = clock_ns(clock) + ns;

    while (clock_ns(clock) < until)
        ;
}

static void *yield_between_spins(moat_co *self, void *input)
{
    for (;;) {
        spin_for(CLOCK_THREAD_CPUTIME_ID, 3 * MS);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

/* ---- Time limits ---- */

static void an_endless_loop_is_cut_by_its_cpu_limit(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 20 * MS, 0);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        uint64_t start = clock_ns(CLOCK_WITH_GUESTS);

        expect_deadline(co, guest_resume(co, NULL));
        EXPECT(clock_ns(CLOCK_WITH_GUESTS) - start >= 17 * MS);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void an_endless_loop_is_cut_by_its_wall_limit(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 0, 20 * MS);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        uint64_t start = clock_ns(CLOCK_MONOTONIC);

        expect_deadline(co, guest_resume(co, NULL));
        EXPECT(clock_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void a_sleeping_guest_is_cut_by_its_wall_limit(const void *arg)
{
    moat_co *co = guest_create_limited(sleep_for_ever, 0, 30 * MS);
    uint64_t start = clock_ns(CLOCK_MONOTONIC);

    (void)arg;
    expect_deadline(co, guest_resume(co, NULL));
    EXPECT(clock_ns(CLOCK_MONOTONIC) - start >= 30 * MS);
    moat_co_destroy(co);
}

static void a_sleeping_guest_is_not_cut_by_its_cpu_limit(const void *arg)
{
    moat_co *co = guest_create_limited(nap_and_return, 20 * MS, 0);
    moat_event event = guest_resume(co, co);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, co);
    moat_co_destroy(co);
}

static void each_resume_has_its_own_limit(const void *arg)
{
    moat_co *co = guest_create_limited(yield_between_spins, 60 * MS, 0);

    (void)arg;
    for (int i = 0; i < 60; i++) {
        moat_event event = guest_resume(co, NULL);

        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
        if (event.kind != MOAT_EVENT_YIELD)
            break;
    }
    moat_co_destroy(co);
}

static void an_unlimited_coroutine_stays_unlimited(const void *arg)
{
    moat_co *limited = guest_create_limited(guest_loop, 0, 10 * MS);
    moat_co *unlimited = guest_create_limited(nap_and_return, 0, 0);
    moat_event event;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        expect_deadline(limited, guest_resume(limited, NULL));
        EXPECT_EQ(moat_co_reset(limited), MOAT_OK);
        event = guest_resume(unlimited, limited);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(event.value, limited);
        EXPECT_EQ(moat_co_reset(unlimited), MOAT_OK);
    }
    moat_co_destroy(limited);
    moat_co_destroy(unlimited);
}

static void the_host_is_never_cut(const void *arg)
{
    moat_co *co = guest_create_limited(guest_echo, 0, 500 * MS);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    spin_for(CLOCK_MONOTONIC, 600 * MS);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    spin_for(CLOCK_MONOTONIC, 600 * MS);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    moat_co_destroy(co);
}

static void limits_at_the_end_of_time_are_no_limits(const void *arg)
{
    moat_co *co = guest_create_limited(nap_and_return, UINT64_MAX, UINT64_MAX);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void a_limit_of_one_nanosecond_cuts_at_once(const void *arg)
{
    moat_co *co = guest_create_limited(guest_loop, 1, 0);
    moat_co *other = guest_create_limited(sleep_for_ever, 0, 1);

    (void)arg;
    expect_deadline(co, guest_resume(co, NULL));
    expect_deadline(other, guest_resume(other, NULL));
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- After a lost signal ---- */

static void a_limit_holds_after_a_signal_was_lost(const void *arg)
{
    moat_co *quick = guest_create_limited(guest_echo, 0, 200 * MS);
    moat_co *co = guest_create_limited(guest_loop, 0, 400 * MS);
    bool lost = false;

    (void)arg;
    for (int i = 0; i < 20 && !lost; i++) {
        EXPECT_EQ(guest_resume(quick, NULL).kind, MOAT_EVENT_YIELD);
        lost = lose_deadline_signal();
    }
    REQUIRE(lost);
    expect_deadline(co, guest_resume(co, NULL));
    moat_co_destroy(co);
    moat_co_destroy(quick);
}

static void *lose_it_and_return(moat_co *self, void *input)
{
    (void)self;
    EXPECT(lose_deadline_signal());
    return input;
}

static void *loop_after_an_inner_guest_lost_it(moat_co *self, void *input)
{
    moat_co *inner = guest_create_limited(lose_it_and_return, 0, 500 * MS);

    EXPECT_EQ(guest_resume(inner, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(inner);
    return guest_loop(self, input);
}

static void an_outer_limit_holds_after_the_inner_ones_was_lost(const void *arg)
{
    moat_co *outer =
        guest_create_limited(loop_after_an_inner_guest_lost_it, 0, 1500 * MS);

    (void)arg;
    expect_deadline(outer, guest_resume(outer, NULL));
    moat_co_destroy(outer);
}

/* The timer interrupts the host at most once, and is then quiet until the next
 * limit. If the host blocks the signal except while it waits, it is not
 * interrupted at all. */
static void the_host_is_interrupted_once_after_its_last_guest(const void *arg)
{
    const struct timespec one_s = {1, 0};
    moat_co *co = guest_create_limited(guest_echo, 0, 300 * MS);
    sigset_t mask;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    (void)nanosleep(&one_s, NULL);
    EXPECT_EQ(nanosleep(&one_s, NULL), 0);
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    (void)sigaddset(&mask, SIGRTMAX - 3);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(ppoll(NULL, 0, &one_s, &mask), 0);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
}

/* ---- Nested limits ---- */

static void *resume_unlimited_loop(moat_co *self, void *input)
{
    moat_co *inner = guest_create_limited(guest_loop, 0, 0);

    (void)self;
    *(moat_co **)input = inner;
    (void)guest_resume(inner, NULL);
    for (;;)
        __asm__ volatile("pause");
    return NULL;
}

static void an_outer_limit_cuts_the_inner_loop_then_the_outer(const void *arg)
{
    moat_co *outer = guest_create_limited(resume_unlimited_loop, 0, 500 * MS);
    moat_co *inner = NULL;

    (void)arg;
    expect_deadline(outer, guest_resume(outer, &inner));
    REQUIRE(inner != NULL);
    EXPECT_EQ(moat_co_get_state(inner), MOAT_CO_TRAPPED);
    EXPECT_EQ(kind_of(inner), MOAT_TRAP_DEADLINE);
    moat_co_destroy(inner);
    moat_co_destroy(outer);
}

/* The inner limit is shorter: the outer guest sees the trap and continues. */
static void *survive_an_inner_deadline(moat_co *self, void *input)
{
    moat_co *inner = guest_create_limited(guest_loop, 0, 10 * MS);

    (void)self;
    expect_deadline(inner, guest_resume(inner, NULL));
    moat_co_destroy(inner);
    return input;
}

static void an_inner_limit_leaves_the_outer_alone(const void *arg)
{
    moat_co *outer =
        guest_create_limited(survive_an_inner_deadline, 0, 20000 * MS);

    (void)arg;
    EXPECT_EQ(guest_resume(outer, outer).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(outer);
}

static void *loop_after_an_inner_deadline(moat_co *self, void *input)
{
    (void)survive_an_inner_deadline(self, input);
    return guest_loop(self, input);
}

static void an_outer_limit_holds_after_an_inner_one_passed(const void *arg)
{
    moat_co *outer =
        guest_create_limited(loop_after_an_inner_deadline, 0, 60 * MS);

    (void)arg;
    expect_deadline(outer, guest_resume(outer, NULL));
    moat_co_destroy(outer);
}

static void *limited_thread(void *arg)
{
    an_endless_loop_is_cut_by_its_wall_limit(arg);
    an_endless_loop_is_cut_by_its_cpu_limit(arg);
    return NULL;
}

static void every_thread_has_its_own_timer(const void *arg)
{
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, limited_thread,
                               (void *)(uintptr_t)arg) == 0);
    for (size_t i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

/* After a deadline, the CPU's state is the same as after a fault. */
static void resume_input(void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_resume(arg, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
}

static void *loop_with_odd_modes(moat_co *self, void *input)
{
    (void)self;
    cpu_set_fp_mode(0xdfc0, 0x0c7f);
    __asm__ volatile("fld1\n\tstd\n1:\tjmp 1b" : : : "memory");
    return input;
}

static void a_deadline_restores_the_cpus_state(const void *arg)
{
    moat_co *co = guest_create_limited(loop_with_odd_modes, 0, 5 * MS);
    struct cpu_state before, after;
    struct thread_signals signals;

    (void)arg;
    thread_signals_note(&signals);
    for (int i = 0; i < 5; i++) {
        cpu_watch(resume_input, co, &before, &after);
        cpu_expect_kept(&before, &after);
        thread_signals_expect_kept(&signals);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- No-trap sections ---- */

/* Exceeds its limit inside a section, records this, and leaves the section. */
static void *outstay_in_section(moat_co *self, void *input)
{
    volatile int *steps = input;

    (void)self;
    moat_notrap_enter();
    moat_notrap_enter();
    spin_for(CLOCK_MONOTONIC, 600 * MS);
    *steps = 1;
    moat_notrap_leave();
    *steps = 2;
    spin_for(CLOCK_MONOTONIC, 10 * MS);
    EXPECT(moat_poll());
    *steps = 3;
    moat_notrap_leave();
    *steps = 4;
    return input;
}

static void
a_deadline_waits_for_the_end_of_the_outermost_section(const void *arg)
{
    moat_co *co = guest_create_limited(outstay_in_section, 0, 500 * MS);
    volatile int steps = 0;

    (void)arg;
    expect_deadline(co, guest_resume(co, (void *)(uintptr_t)&steps));
    EXPECT_EQ(steps, 3);
    EXPECT(!moat_poll());
    moat_co_destroy(co);
}

static void *leave_too_often(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_leave();
    moat_notrap_enter();
    moat_notrap_leave();
    moat_notrap_leave();
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void a_leave_without_an_enter_has_no_effect(const void *arg)
{
    moat_co *co = guest_create_limited(leave_too_often, 0, 0);

    (void)arg;
    moat_notrap_leave();
    moat_notrap_enter();
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(kind_of(co), MOAT_TRAP_NULL);
    moat_notrap_leave();
    moat_co_destroy(co);
}

/* More than a 16-bit count of sections could hold. */
#define TOO_MANY_SECTIONS ((uint32_t)1 << 16)

static void *enter_for_ever(moat_co *self, void *input)
{
    (void)self;
    for (uint32_t i = 0; i < TOO_MANY_SECTIONS; i++)
        moat_notrap_enter();
    return input;
}

static void sections_too_deep_to_count_are_fatal(const void *arg)
{
    moat_co *co = guest_create_limited(enter_for_ever, 0, 0);

    (void)arg;
    (void)guest_resume(co, NULL);
}

static void *yield_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    return moat_co_yield(self, input);
}

/* A reset closes the sections of the dropped guest. */
static void *just_fault(moat_co *self, void *input)
{
    if (input != NULL)
        return yield_in_section(self, input);
    return leave_too_often(self, input);
}

static void reset_closes_open_sections(const void *arg)
{
    moat_co *co = guest_create_limited(just_fault, 0, 0);

    (void)arg;
    EXPECT_EQ(guest_resume(co, co).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

/* ---- Stack bounds ---- */

static void *look_at_own_stack(moat_co *self, void *input)
{
    moat_stack_info *info = input;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    EXPECT_EQ(moat_stack_bounds(info), MOAT_OK);
    EXPECT(here >= info->limit && here < info->base);
    EXPECT(info->guard < info->limit);
    EXPECT(info->used > 0 && info->used < info->base - info->limit);
    EXPECT_EQ(moat_stack_reserve(0), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(1024), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(info->base - info->limit), MOAT_E_LIMIT);
    EXPECT_EQ(moat_stack_reserve(SIZE_MAX), MOAT_E_LIMIT);
    return self;
}

static void a_guest_knows_its_stack(const void *arg)
{
    moat_co *co = guest_create_limited(look_at_own_stack, 0, 0);
    moat_stack_info inside = {0, 0, 0, 0, 0}, outside = {0, 0, 0, 0, 0};

    (void)arg;
    EXPECT_EQ(moat_stack_reserve(SIZE_MAX), MOAT_OK);
    EXPECT_EQ(moat_stack_bounds(&outside), MOAT_E_STATE);
    EXPECT_EQ(guest_resume(co, &inside).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_stack_info(co, &outside), MOAT_OK);
    EXPECT_EQ(outside.base, inside.base);
    EXPECT_EQ(outside.limit, inside.limit);
    EXPECT_EQ(outside.guard, inside.guard);
    EXPECT(outside.high_water >= inside.used);
    EXPECT(outside.high_water <= outside.base - outside.limit + 4096);
    moat_co_destroy(co);
}

/* Descends as long as the reserve lasts; never overflows. */
static __attribute__((noinline)) unsigned descend(unsigned depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (moat_stack_reserve(8192) != MOAT_OK)
        return depth;
    return descend(depth + 1) + (unsigned)(frame[0] != (char)depth);
}

static void *descend_carefully(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(uintptr_t)descend(0);
}

static void a_guest_that_reserves_does_not_overflow(const void *arg)
{
    moat_co *co = guest_create_limited(descend_carefully, 0, 0);
    moat_event event = guest_resume(co, NULL);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT((uintptr_t)event.value > 50);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(an_endless_loop_is_cut_by_its_cpu_limit),
    CHILD_CASE(an_endless_loop_is_cut_by_its_wall_limit),
    CHILD_CASE(a_sleeping_guest_is_cut_by_its_wall_limit),
    CHILD_CASE(a_sleeping_guest_is_not_cut_by_its_cpu_limit),
    CHILD_CASE(each_resume_has_its_own_limit),
    CHILD_CASE(an_unlimited_coroutine_stays_unlimited),
    CHILD_CASE(the_host_is_never_cut),
    CHILD_CASE(limits_at_the_end_of_time_are_no_limits),
    CHILD_CASE(a_limit_of_one_nanosecond_cuts_at_once),
    CHILD_CASE(a_limit_holds_after_a_signal_was_lost),
    CHILD_CASE(an_outer_limit_holds_after_the_inner_ones_was_lost),
    CHILD_CASE(the_host_is_interrupted_once_after_its_last_guest),
    CHILD_CASE(an_outer_limit_cuts_the_inner_loop_then_the_outer),
    CHILD_CASE(an_inner_limit_leaves_the_outer_alone),
    CHILD_CASE(an_outer_limit_holds_after_an_inner_one_passed),
    CHILD_CASE(every_thread_has_its_own_timer),
    CHILD_CASE(a_deadline_restores_the_cpus_state),
    CHILD_CASE(a_deadline_waits_for_the_end_of_the_outermost_section),
    CHILD_CASE(a_leave_without_an_enter_has_no_effect),
    {"sections_too_deep_to_count_are_fatal",
     sections_too_deep_to_count_are_fatal, NULL, NULL, SIGABRT, 0},
    CHILD_CASE(reset_closes_open_sections),
    CHILD_CASE(a_guest_knows_its_stack),
    CHILD_CASE(a_guest_that_reserves_does_not_overflow),
};

int main(int argc, char **argv)
{
    return child_cases_run("limits hold and are never early", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
