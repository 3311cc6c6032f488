/*
 * deep.c: six coroutines deep. Each unwinder finds all six, their resumers and
 * main, from the innermost function and from a profiler's signal there. One of
 * the six was entered by a transfer, from a coroutine that must not be found.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "tests/unwind/chain.h"

#define DEEP   6
#define HANDED 3 /* entered by a transfer */

/* Looked up by dladdr, so not static. */
void deep_bottom(void);
void deep_resume(moat_co *co);
void *deep_entry(moat_co *self, void *input);
void *deep_hand_over(moat_co *self, void *input);

static int depth;
static const struct chain_walker *walker;
static volatile sig_atomic_t samples;
static struct chain chain;

/* Returns how often a function occurs. */
static size_t count_of(const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < chain.count; i++)
        count += strcmp(chain_name(chain.pc[i]), name) == 0;
    return count;
}

static void check(const char *what)
{
    bool whole = count_of("deep_entry") == DEEP &&
                 count_of("deep_resume") == DEEP && count_of("main") == 1 &&
                 count_of("deep_hand_over") == 0;

    if (!CHECK(whole))
        printf("%s: %zu guests, %zu resumers, main %zu times\n", what,
               count_of("deep_entry"), count_of("deep_resume"),
               count_of("main"));
}

static void on_signal(int signo)
{
    (void)signo;
    if (samples == 0) {
        chain.count = 0;
        walker->walk(&chain);
        samples = 1;
    }
}

/* Starts a timer of this thread's CPU time, as profilers do. */
static void profile(void)
{
    const struct itimerval tick = {{0, 1000}, {0, 1000}};
    const struct itimerval off = {{0, 0}, {0, 0}};

    samples = 0;
    CHECK(setitimer(ITIMER_PROF, &tick, NULL) == 0);
    while (samples == 0)
        ;
    CHECK(setitimer(ITIMER_PROF, &off, NULL) == 0);
}

FRAME void deep_bottom(void)
{
    for (walker = chain_walkers; walker->name != NULL; walker++) {
        chain.count = 0;
        walker->walk(&chain);
        check(walker->name);
        /* moat_backtrace may not be called in a handler. */
        if (walker == chain_walkers)
            continue;
        profile();
        check("in a handler");
    }
    KEEP_FRAME();
}

FRAME void deep_resume(moat_co *co)
{
    moat_event event;

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    CHECK((event.co == co) == (depth-- != HANDED));
    moat_co_destroy(event.co);
    if (event.co != co)
        moat_co_destroy(co);
}

FRAME void *deep_hand_over(moat_co *self, void *input)
{
    moat_co *other = NULL;

    if (CHECK(moat_co_create(&other, deep_entry, NULL) == MOAT_OK))
        CHECK(moat_co_switch_to(self, other, NULL, &input) == MOAT_OK);
    KEEP_FRAME();
    return input;
}

FRAME void *deep_entry(moat_co *self, void *input)
{
    moat_co *next = NULL;

    (void)self;
    if (++depth == DEEP)
        deep_bottom();
    else if (CHECK(moat_co_create(
                       &next, depth + 1 == HANDED ? deep_hand_over : deep_entry,
                       NULL) == MOAT_OK))
        deep_resume(next);
    KEEP_FRAME();
    return input;
}

int main(void)
{
    struct sigaction action;
    moat_co *co = NULL;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    if (CHECK(moat_co_create(&co, deep_entry, NULL) == MOAT_OK))
        deep_resume(co);
    return chain_result();
}
