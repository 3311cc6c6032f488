/*
 * test_seal.c: sealed sections that are left by a longjmp, or by a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "engine/thread.h"
#include "sys/seal.h"

#if UNDER_TSAN
#    define NEEDS_SIGNALS "ThreadSanitizer takes part in a longjmp"
#else
#    define NEEDS_SIGNALS NULL
#endif

static sigjmp_buf way_out;
static int *volatile nowhere;

static void leave(int signo)
{
    siglongjmp(way_out, signo);
}

static void *seal_and_be_left(moat_co *self, void *input)
{
    (void)self;
    moat_seal();
    (void)raise(SIGTRAP);
    moat_unseal();
    return input;
}

static int cancel_state(void)
{
    int state, none;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    (void)pthread_setcancelstate(state, &none);
    return state;
}

/* A handler of the host's leaves for the host in the middle of a section. */
static void cancellation_comes_back(const void *arg)
{
    struct sigaction action = {.sa_handler = leave};
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, seal_and_be_left, NULL) == MOAT_OK);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    if (sigsetjmp(way_out, 1) == 0)
        EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_EVENT_PANIC);
    moat_co_destroy(co);
    moat_seal();
    moat_unseal();
    EXPECT_EQ(cancel_state(), PTHREAD_CANCEL_ENABLE);
    EXPECT(!moat_seal_locks_held());
}

/* As if the fault of a host's handler stopped it between two stores. */
__attribute__((no_sanitize("undefined"))) static void *
count_and_fault(moat_co *self, void *input)
{
    struct moat_thread *thread = moat_thread_self();

    (void)self;
    moat_seal();
    thread->homes.usual.spares++;
    atomic_fetch_add(&thread->live, 1);
    *nowhere = 1;
    return input;
}

static void what_was_being_counted_is_counted_again(const void *arg)
{
    moat_event event = {.kind = MOAT_EVENT_RETURN};
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, count_and_fault, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_thread_self()->homes.usual.spares, 0);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"cancellation_comes_back", cancellation_comes_back, NULL,
         NEEDS_SIGNALS, 0, 0},
        CHILD_CASE(what_was_being_counted_is_counted_again),
    };

    return child_cases_run("seal", cases, sizeof cases / sizeof cases[0], NULL);
}
