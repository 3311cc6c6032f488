/*
 * test_transfer_failures.c: a transfer to a coroutine whose time limit cannot
 * be set returns a status and changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

int __real_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __real_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);
int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before);

static unsigned failing; /* the number of the next timer calls that fail */

static bool fails(void)
{
    if (failing == 0)
        return false;
    failing--;
    errno = EAGAIN;
    return true;
}

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    return fails() ? -1 : __real_timer_create(clock, event, timer);
}

int __wrap_timer_settime(timer_t timer, int flags,
                         const struct itimerspec *when,
                         struct itimerspec *before)
{
    return fails() ? -1 : __real_timer_settime(timer, flags, when, before);
}

static moat_co *first, *second, *third;

/* The timer cannot be set, and a new one cannot be created. */
static void fail_to_switch(moat_co *self, moat_co *other, unsigned calls)
{
    void *got = &got;

    failing = calls;
    EXPECT_EQ(moat_co_switch_to(self, other, self, &got), MOAT_E_SYSTEM);
    EXPECT_EQ(failing, 0);
    EXPECT(got == &got);
    EXPECT(moat_co_current() == self);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    EXPECT_EQ(moat_co_get_state(other), MOAT_CO_FRESH);
}

static void destroy_all(void)
{
    moat_co_destroy(first);
    moat_co_destroy(second);
    moat_co_destroy(third);
}

static void *fail_and_loop(moat_co *self, void *input)
{
    fail_to_switch(self, second, 2);
    return guest_loop(self, input);
}

/* Its own limit is in force again, and its deadline is no longer delayed. */
static void the_guest_that_stays_meets_its_deadline(const void *arg)
{
    (void)arg;
    first = guest_create_limited(fail_and_loop, 0, 1000 * MS);
    second = guest_create_limited(guest_echo, 0, 20 * MS);
    guest_expect_trap(first, NULL, MOAT_TRAP_DEADLINE);
    destroy_all();
}

/* No timer exists yet. */
static void *fail_and_yield(moat_co *self, void *input)
{
    fail_to_switch(self, second, 1);
    return moat_co_yield(self, input);
}

static void *yield_and_return(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *resume_both_and_yield(moat_co *self, void *input)
{
    EXPECT(guest_resume(first, first).value == first);
    EXPECT(guest_resume(second, second).value == second);
    EXPECT_EQ(guest_resume(second, NULL).kind, MOAT_EVENT_RETURN);
    return guest_loop(self, moat_co_yield(self, input));
}

static void *resume_third_and_loop(moat_co *self, void *input)
{
    guest_expect_trap(third, input, MOAT_TRAP_DEADLINE);
    return guest_loop(self, input);
}

/* The resumer's deadline had been delayed until an event that never came. */
static void its_resumer_meets_its_deadline(const void *arg)
{
    moat_co *outer = guest_create_limited(resume_third_and_loop, 0, 50 * MS);

    (void)arg;
    first = guest_create(fail_and_yield);
    second = guest_create_limited(yield_and_return, 0, 60000 * MS);
    third = guest_create(resume_both_and_yield);
    EXPECT_EQ(guest_resume(third, NULL).kind, MOAT_EVENT_YIELD);
    guest_expect_trap(outer, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(outer);
    destroy_all();
}

static void *to_second(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_switch_to(self, second, input, &input), MOAT_OK);
    return input;
}

static void *fail_in_anothers_place(moat_co *self, void *input)
{
    fail_to_switch(self, third, 2);
    return moat_co_yield(self, input);
}

static void *resume_first_and_loop(moat_co *self, void *input)
{
    EXPECT(guest_resume(first, input).co == second);
    return guest_loop(self, input);
}

/* Its event still ends the delay of the resumer's deadline, and its own
 * limit. */
static void a_guest_entered_by_transfer_keeps_its_resumer(const void *arg)
{
    moat_co *outer = guest_create_limited(resume_first_and_loop, 0, 1000 * MS);

    (void)arg;
    first = guest_create(to_second);
    second = guest_create_limited(fail_in_anothers_place, 0, 60000 * MS);
    third = guest_create_limited(guest_echo, 0, 20 * MS);
    guest_expect_trap(outer, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(outer);
    destroy_all();
}

/* The next try succeeds. */
static void *fail_and_switch(moat_co *self, void *input)
{
    fail_to_switch(self, second, 2);
    EXPECT_EQ(moat_co_switch_to(self, second, input, &input), MOAT_OK);
    return input;
}

static void the_next_try_is_cut(const void *arg)
{
    (void)arg;
    first = guest_create_limited(fail_and_switch, 0, 60000 * MS);
    second = guest_create_limited(guest_loop, 0, 20 * MS);
    EXPECT(guest_resume(first, NULL).co == second);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_TRAPPED);
    destroy_all();
}

/* ---- Policies for system calls ---- */

static void *fail_and_call(moat_co *self, void *input)
{
    fail_to_switch(self, second, 1);
    return syscall(SYS_getppid) > 0 ? input : NULL;
}

static moat_status create_filtered(moat_co **out, moat_entry entry,
                                   const void *code, size_t bytes,
                                   uint64_t wall_ns)
{
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    policy.code = code;
    policy.code_bytes = bytes;
    limits.syscalls = &policy;
    limits.wall_ns = wall_ns;
    options.limits = &limits;
    return moat_co_create(out, entry, &options);
}

/* What the kernel was told for the other one is undone. */
static void the_guest_that_stays_is_still_filtered(const void *arg)
{
    static const char code[64];

    (void)arg;
    if (create_filtered(&second, guest_echo, code, sizeof code, 1000 * MS) !=
        MOAT_OK)
        child_leave_out("this kernel dispatches no range");
    REQUIRE(create_filtered(&first, fail_and_call, NULL, 0, 0) == MOAT_OK);
    guest_expect_trap(first, NULL, MOAT_TRAP_SYSCALL);
    destroy_all();
}

static const struct child_case cases[] = {
    CHILD_CASE(the_guest_that_stays_meets_its_deadline),
    CHILD_CASE(its_resumer_meets_its_deadline),
    CHILD_CASE(a_guest_entered_by_transfer_keeps_its_resumer),
    CHILD_CASE(the_next_try_is_cut),
    CHILD_CASE(the_guest_that_stays_is_still_filtered),
};

int main(int argc, char **argv)
{
    return child_cases_run("a transfer that fails", cases,
                           sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
