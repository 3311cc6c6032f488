/*
 * test_host_call_limits.c: what a host call resumes is not stopped by the
 * limits of the guest that made the call; these come afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define SHORT (20 * MS)
#define LONG  (80 * MS)
#define AGES  (2000 * MS) /* a turn takes less on a busy machine, too */

static void spin_for(uint64_t ns)
{
    spin_until(clock_ns(CLOCK_MONOTONIC) + ns);
}

static void spin_for_cpu(uint64_t ns)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
}

static void expect_deadline(moat_co *co, void *input)
{
    guest_expect_trap(co, input, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* ---- The host's own coroutines ---- */

/* Each turn takes longer than the guests may run. */
static void *log_lines(moat_co *self, void *input)
{
    for (;;) {
        spin_for(LONG);
        spin_for_cpu(SHORT + SHORT / 4);
        input = moat_co_yield(self, input);
    }
    return NULL;
}

static moat_co *logger;
static int served;

static void *serve(void *arg)
{
    moat_event event = guest_resume(logger, arg);

    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_get_state(logger), MOAT_CO_SUSPENDED);
    served++;
    return arg;
}

/* The host call of a guest. */
struct service {
    void *(*fn)(void *);
};

#define SERVICE(fn) (&(struct service){fn})

static void *call_service(moat_co *self, void *input)
{
    const struct service *service = input;

    (void)moat_call_on_parent(self, service->fn, NULL);
    /* The limit has passed: the call does not return. */
    served = -1;
    return NULL;
}

static void the_hosts_coroutine_is_not_stopped(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(call_service, 0, SHORT),
                    SERVICE(serve));
    EXPECT_EQ(served, 1);
    expect_deadline(guest_create_limited(call_service, SHORT, 0),
                    SERVICE(serve));
    EXPECT_EQ(served, 2);
    EXPECT_EQ(guest_resume(logger, NULL).kind, MOAT_EVENT_YIELD);
}

/* ---- The limit itself stays ---- */

static void *call_and_return(moat_co *self, void *input)
{
    return moat_call_on_parent(self, serve, input);
}

static void *call_and_loop(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, serve, input);
    return guest_loop(self, input);
}

static void a_limit_that_has_not_passed_is_in_force_again(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    EXPECT_EQ(
        guest_resume(guest_create_limited(call_and_return, 0, 100 * LONG), NULL)
            .kind,
        MOAT_EVENT_RETURN);
    expect_deadline(guest_create_limited(call_and_loop, 0, 2 * LONG), NULL);
    EXPECT_EQ(served, 2);
}

static void *wait_for_poll(void *arg)
{
    while (!moat_poll())
        continue;
    served++;
    return arg;
}

static void *poll_and_serve(void *arg)
{
    (void)wait_for_poll(arg);
    (void)serve(arg);
    return arg;
}

static void a_host_call_learns_that_the_limit_has_passed(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(call_service, 0, SHORT),
                    SERVICE(wait_for_poll));
    EXPECT_EQ(served, 1);
    expect_deadline(guest_create_limited(call_service, 0, SHORT),
                    SERVICE(poll_and_serve));
    EXPECT_EQ(served, 3);
    EXPECT(!moat_poll());
}

/* ---- Limits of what the call resumes ---- */

static void *stop_its_own(void *arg)
{
    expect_deadline(guest_create_limited(guest_loop, 0, SHORT), NULL);
    return serve(arg);
}

static void a_coroutine_of_the_hosts_has_its_own_limits(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(call_service, 0, SHORT / 2),
                    SERVICE(stop_its_own));
    EXPECT_EQ(served, 1);
    guest_expect_trap(guest_create_limited(guest_loop, 0, SHORT), NULL,
                      MOAT_TRAP_DEADLINE);
}

static void *resume_child(moat_co *self, void *input)
{
    moat_event event = guest_resume(logger, input);

    (void)self;
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    return guest_loop(self, input);
}

static void a_child_of_the_guests_counts_against_it(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(resume_child, 0, SHORT), NULL);
    EXPECT_EQ(moat_co_get_state(logger), MOAT_CO_TRAPPED);
}

/* The outer guest's limit counts for what runs on its stack, the inner one's
 * does not. */
static void *serve_for_outer(void *arg)
{
    uint64_t begun = clock_ns(CLOCK_MONOTONIC);

    EXPECT_EQ(guest_resume(logger, arg).kind, MOAT_EVENT_YIELD);
    EXPECT(clock_ns(CLOCK_MONOTONIC) - begun >= LONG);
    guest_expect_trap(guest_create(guest_loop), NULL, MOAT_TRAP_DEADLINE);
    served++;
    return arg;
}

static void *resume_inner(moat_co *self, void *input)
{
    (void)self;
    guest_expect_trap(guest_create_limited(call_service, 0, SHORT),
                      SERVICE(serve_for_outer), MOAT_TRAP_DEADLINE);
    return guest_loop(self, input);
}

static void an_outer_guests_limit_stays_in_force(const void *arg)
{
    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(resume_inner, 0, AGES), NULL);
    EXPECT_EQ(served, 1);
}

/* ---- Other ways to run something ---- */

static void *run_and_return(moat_co *self, void *input)
{
    (void)self;
    spin_for(LONG);
    return input;
}

static void *serve_batch(void *arg)
{
    moat_co *cos[2] = {guest_create(run_and_return),
                       guest_create(run_and_return)};
    moat_event events[2];
    size_t done;

    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, 2, &done), MOAT_OK);
    EXPECT_EQ(done, 2);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_EQ(events[i].kind, MOAT_EVENT_RETURN);
        moat_co_destroy(cos[i]);
    }
    served++;
    return arg;
}

/* To a fresh one with limits of its own, and back by its return. */
static void *transfer_away(moat_co *self, void *input)
{
    moat_co *next = guest_create_limited(run_and_return, 0, 100 * LONG);
    void *got;

    spin_for(LONG);
    EXPECT_EQ(moat_co_switch_to(self, next, input, &got), MOAT_OK);
    return input;
}

static void *serve_transfer(void *arg)
{
    moat_event event = guest_resume(guest_create(transfer_away), arg);

    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    served++;
    return arg;
}

static void clean_up(void *arg)
{
    spin_for(LONG);
    guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(guest_resume(logger, arg).kind, MOAT_EVENT_YIELD);
    served++;
}

static void *serve_cancel(void *arg)
{
    moat_co *co = guest_create(guest_echo);
    moat_event event;

    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_defer(co, clean_up, NULL), MOAT_OK);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    moat_co_destroy(co);
    return arg;
}

static void all_that_the_call_resumes_runs_to_its_end(const void *arg)
{
    static void *(*const services[])(void *) = {serve_batch, serve_transfer,
                                                serve_cancel};

    (void)arg;
    logger = guest_create(log_lines);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        expect_context("service %zu", i);
        served = 0;
        expect_deadline(guest_create_limited(call_service, 0, SHORT),
                        SERVICE(services[i]));
        EXPECT_EQ(served, 1);
    }
}

/* The guest has got its limits by a transfer. */
static void *transfer_to_caller(moat_co *self, void *input)
{
    void *got;

    EXPECT_EQ(moat_co_switch_to(self, input, NULL, &got), MOAT_OK);
    return NULL;
}

static void a_guest_that_was_transferred_to_calls(const void *arg)
{
    moat_co *caller = guest_create_limited(call_and_loop, 0, SHORT);
    moat_event event;

    (void)arg;
    logger = guest_create(log_lines);
    event = guest_resume(guest_create(transfer_to_caller), caller);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT(event.co == caller);
    EXPECT_EQ(served, 1);
}

/* A child inherits no timer: the limit that was aside counts there, too, and
 * ends it. */
static void *fork_in_service(void *arg)
{
    int *child = arg;

    *child = fork();
    return serve(arg);
}

static void *call_fork(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, fork_in_service, input);
    return guest_loop(self, input);
}

static void a_limit_that_is_aside_outlives_a_fork(const void *arg)
{
    int child = -1;

    (void)arg;
    logger = guest_create(log_lines);
    expect_deadline(guest_create_limited(call_fork, 0, 2 * LONG), &child);
    EXPECT_EQ(served, 1);
    if (child > 0)
        EXPECT_EQ(exit_status_of(child), MOAT_FORK_EXIT_STATUS);
}

#define UNTIMED(function)                                                     \
    {                                                                         \
#        function, function, NULL, UNDER_TSAN ? "signals are delayed" : NULL, \
            0, 0                                                              \
    }

static const struct child_case cases[] = {
    UNTIMED(the_hosts_coroutine_is_not_stopped),
    UNTIMED(a_limit_that_has_not_passed_is_in_force_again),
    UNTIMED(a_host_call_learns_that_the_limit_has_passed),
    UNTIMED(a_coroutine_of_the_hosts_has_its_own_limits),
    UNTIMED(a_child_of_the_guests_counts_against_it),
    UNTIMED(an_outer_guests_limit_stays_in_force),
    UNTIMED(all_that_the_call_resumes_runs_to_its_end),
    UNTIMED(a_guest_that_was_transferred_to_calls),
    UNTIMED(a_limit_that_is_aside_outlives_a_fork),
};

int main(int argc, char **argv)
{
    return child_cases_run("host call limits", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
