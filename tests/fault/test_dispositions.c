/*
 * test_dispositions.c: odd but legal dispositions that moat finds: SIG_DFL and
 * SIG_IGN with SA_SIGINFO, and a foreign handler that was installed over moat's
 * and is still there after a shutdown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* ---- With SA_SIGINFO ---- */

static void attach_over(int signo, void (*disposition)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = disposition;
    action.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(signo, &action, NULL) == 0);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
}

static void abort_over_a_default_with_siginfo_dies_by_sigabrt(const void *arg)
{
    (void)arg;
    attach_over(SIGABRT, SIG_DFL);
    abort();
}

static void
a_null_write_over_a_default_with_siginfo_dies_by_sigsegv(const void *arg)
{
    (void)arg;
    attach_over(SIGSEGV, SIG_DFL);
    write_null();
}

static void signals_ignored_with_siginfo_stay_ignored(const void *arg)
{
    static const int signals[] = {SIGTRAP, SIGBUS, SIGFPE, SIGILL};

    (void)arg;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        attach_over(signals[i], SIG_IGN);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    }
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        EXPECT_EQ(kill(getpid(), signals[i]), 0);
    guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
}

/* ---- Over moat's ---- */

static struct sigaction below;
static volatile sig_atomic_t foreign_calls;

/* Chains to the previous handler, which is moat's. */
static void chain(int signo, siginfo_t *info, void *context)
{
    /* If the handlers called each other in a circle, they would do so until the
     * stack overflows. */
    if (++foreign_calls > 1000)
        _exit(CHILD_FAILED);
    below.sa_sigaction(signo, info, context);
}

static void put_over_moat_and_start_anew(int signo)
{
    struct sigaction action;

    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = chain;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    REQUIRE(sigaction(signo, &action, &below) == 0);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
}

static void
abort_under_a_handler_that_outlived_moat_dies_by_sigabrt(const void *arg)
{
    (void)arg;
    put_over_moat_and_start_anew(SIGABRT);
    abort();
}

static void
a_fault_under_a_handler_that_outlived_moat_dies_by_sigsegv(const void *arg)
{
    (void)arg;
    put_over_moat_and_start_anew(SIGSEGV);
    write_null();
}

static void a_guest_under_a_handler_that_chains_to_moat_traps(const void *arg)
{
    moat_co *co;

    (void)arg;
    put_over_moat_and_start_anew(SIGSEGV);
    co = guest_create(guest_write_null);
    for (int i = 1; i <= 3; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(foreign_calls, i);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

#define DIES_BY(signal, function)                  \
    {                                              \
#        function, function, NULL, NULL, signal, 0 \
    }

static const struct child_case cases[] = {
    DIES_BY(SIGABRT, abort_over_a_default_with_siginfo_dies_by_sigabrt),
    DIES_BY(SIGSEGV, a_null_write_over_a_default_with_siginfo_dies_by_sigsegv),
    CHILD_CASE(signals_ignored_with_siginfo_stay_ignored),
    DIES_BY(SIGABRT, abort_under_a_handler_that_outlived_moat_dies_by_sigabrt),
    DIES_BY(SIGSEGV,
            a_fault_under_a_handler_that_outlived_moat_dies_by_sigsegv),
    CHILD_CASE(a_guest_under_a_handler_that_chains_to_moat_traps),
};

int main(int argc, char **argv)
{
    return child_cases_run("odd dispositions are preserved", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
