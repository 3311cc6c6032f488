/*
 * test_probe.c: calls that survive a fault of their own, and no other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdint.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "trap/probe.h"

#if UNDER_TSAN
#    define NEEDS_SIGNALS "ThreadSanitizer calls the handlers of sent signals"
#else
#    define NEEDS_SIGNALS NULL
#endif

static int *volatile nowhere;

__attribute__((no_sanitize("undefined"))) static void fault(void *arg)
{
    (void)arg;
    *nowhere = 1;
}

__attribute__((no_sanitize("undefined"))) static void on_signal(int signo)
{
    (void)signo;
    *nowhere = 1;
}

static void be_interrupted(void *arg)
{
    (void)raise(*(const int *)arg);
}

/* Without SA_ONSTACK. Sections hold none of these back, as code may raise them.
 */
static const int kinds[] = {SIGTRAP, SIGFPE, SIGILL, SIGSYS};

#define KINDS (sizeof kinds / sizeof kinds[0])

static void handle(int signo)
{
    struct sigaction action = {.sa_handler = on_signal};

    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

static void its_own_fault_ends_the_call(const void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT(!moat_trap_try(fault, NULL));
    EXPECT(!moat_trap_try(fault, NULL));
}

static void a_handlers_fault_is_the_hosts(const void *arg)
{
    int signo = *(const int *)arg;

    handle(signo);
    (void)moat_trap_try(be_interrupted, &signo);
}

static void *try_it(moat_co *self, void *input)
{
    (void)self;
    (void)moat_trap_try(be_interrupted, input);
    return input;
}

static void on_a_guests_stack_it_is_the_guests(const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < KINDS; i++) {
        moat_event event = {.kind = MOAT_EVENT_RETURN};
        int signo = kinds[i];
        moat_co *co = NULL;

        expect_context("signal %d", signo);
        handle(signo);
        REQUIRE(moat_co_create(&co, try_it, NULL) == MOAT_OK);
        REQUIRE(moat_co_resume(co, &signo, &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        EXPECT(moat_probe == NULL);
        moat_co_destroy(co);
    }
}

/* A handler may walk by itself, wherever it has interrupted. */
static void on_signal_try(int signo)
{
    (void)signo;
    EXPECT(!moat_trap_try(fault, NULL));
}

static void a_handler_may_try_in_a_try(const void *arg)
{
    struct sigaction action = {.sa_handler = on_signal_try};
    int signo = SIGTRAP;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaction(signo, &action, NULL) == 0);
    EXPECT(moat_trap_try(be_interrupted, &signo));
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(its_own_fault_ends_the_call),
        {"a_handlers_fault_is_the_hosts: SIGTRAP",
         a_handlers_fault_is_the_hosts, &kinds[0], NULL, SIGSEGV, 0},
        {"a_handlers_fault_is_the_hosts: SIGFPE", a_handlers_fault_is_the_hosts,
         &kinds[1], NULL, SIGSEGV, 0},
        {"a_handlers_fault_is_the_hosts: SIGILL", a_handlers_fault_is_the_hosts,
         &kinds[2], NULL, SIGSEGV, 0},
        {"a_handlers_fault_is_the_hosts: SIGSYS", a_handlers_fault_is_the_hosts,
         &kinds[3], NULL, SIGSEGV, 0},
        {"on_a_guests_stack_it_is_the_guests",
         on_a_guests_stack_it_is_the_guests, NULL, NEEDS_SIGNALS, 0, 0},
        {"a_handler_may_try_in_a_try", a_handler_may_try_in_a_try, NULL,
         NEEDS_SIGNALS, 0, 0},
    };

    return child_cases_run("probe", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
