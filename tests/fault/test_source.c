/*
 * test_source.c: the source of the signals: the option, the environment, and
 * refused values. Built twice: with the library moat-sigsegv and, as ALONE,
 * without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"

#ifndef ALONE
#    define ALONE 0
#endif

static void ask_environment(const char *source)
{
    REQUIRE(setenv("MOAT_TRAP_SOURCE", source, 1) == 0);
}

static void expect_in_use(const char *name)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    EXPECT_STR(info.source, name);
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void expect_containment(void)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, fault, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

static void expect_refused(moat_status status)
{
    struct dispositions before;

    dispositions_note(&before);
    EXPECT_EQ(moat_engine_init(NULL), status);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    dispositions_expect_kept(&before);
}

static void an_empty_choice_is_the_default(const void *arg)
{
    (void)arg;
    ask_environment("");
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_in_use("sigaction");
    expect_containment();
}

static void an_open_choice_is_the_default(const void *arg)
{
    (void)arg;
    ask_environment("auto");
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_in_use("sigaction");
}

static void the_environment_may_say_sigaction(const void *arg)
{
    (void)arg;
    ask_environment("sigaction");
    expect_in_use("sigaction");
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_in_use("sigaction");
}

static void the_environment_may_say_manual(const void *arg)
{
    struct dispositions before;

    (void)arg;
    ask_environment("manual");
    dispositions_note(&before);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_in_use("manual");
    dispositions_expect_kept(&before);
}

static void an_unknown_name_is_refused(const void *arg)
{
    static const char *const names[] = {"raw", "Sigaction", "sigsegv ", "1"};

    (void)arg;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        expect_context("%s", names[i]);
        ask_environment(names[i]);
        expect_refused(MOAT_E_INVAL);
    }
}

static void the_environment_may_say_sigsegv(const void *arg)
{
    (void)arg;
    ask_environment("sigsegv");
    if (ALONE) {
        expect_refused(MOAT_E_UNSUPPORTED);
        return;
    }
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_in_use("sigsegv");
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    expect_containment();
}

static void the_hosts_choice_beats_the_environments(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    ask_environment("no such source");
    options.source = MOAT_SOURCE_SIGACTION;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    expect_in_use("sigaction");
    expect_containment();
    options.source = MOAT_SOURCE_MANUAL;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
}

/* ---- Sources of the host ---- */

static void expect_refused_source(moat_source source, moat_status status)
{
    static moat_source kept;
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    kept = source;
    options.source = &kept;
    EXPECT_EQ(moat_engine_init(&options), status);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
}

static moat_status watch_nothing(const moat_source_range *range)
{
    return range != NULL ? MOAT_OK : MOAT_E_INVAL;
}

static moat_status fail(void)
{
    return MOAT_E_SYSTEM;
}

static void a_source_that_is_not_whole_is_refused(const void *arg)
{
    moat_source source = moat_source_sigaction;

    (void)arg;
    source.version++;
    expect_refused_source(source, MOAT_E_UNSUPPORTED);
    source = moat_source_sigaction;
    source.reserved = 1;
    expect_refused_source(source, MOAT_E_INVAL);
    source = moat_source_sigaction;
    source.name = NULL;
    expect_refused_source(source, MOAT_E_INVAL);
    source = moat_source_sigaction;
    source.check = NULL;
    expect_refused_source(source, MOAT_E_INVAL);
    source = moat_source_sigaction;
    source.watch = watch_nothing;
    expect_refused_source(source, MOAT_E_INVAL);
    source = moat_source_sigaction;
    source.install = fail;
    expect_refused_source(source, MOAT_E_SYSTEM);
}

static volatile int faults, watches;

static bool counting_fault(void *siginfo, void *ucontext)
{
    faults++;
    return moat_source_deliver(siginfo, ucontext);
}

static moat_status counting_watch(const moat_source_range *range)
{
    watches++;
    return watch_nothing(range);
}

static void forget(const moat_source_range *range)
{
    (void)range;
}

/* A source built from the default one and three other functions. */
static void a_source_of_ones_own(const void *arg)
{
    static moat_source source;
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    source = moat_source_sigaction;
    source.name = "counting";
    source.fault = counting_fault;
    source.watch = counting_watch;
    source.unwatch = forget;
    options.source = &source;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    expect_in_use("counting");
    expect_containment();
    expect_containment();
    EXPECT_EQ(faults, 2);
    EXPECT_EQ(watches, 1);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* An arena that the source cannot watch is not used. */
static moat_status refuse_once(const moat_source_range *range)
{
    return watches++ == 0 ? MOAT_E_NOMEM : watch_nothing(range);
}

static void a_watch_that_fails_fails_the_create(const void *arg)
{
    static moat_source source;
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_co *co = NULL;

    (void)arg;
    source = moat_source_sigaction;
    source.watch = refuse_once;
    source.unwatch = forget;
    options.source = &source;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    EXPECT_EQ(moat_co_create(&co, fault, NULL), MOAT_E_NOMEM);
    EXPECT_EQ(co, NULL);
    expect_containment();
    EXPECT_EQ(watches, 2);
}

static const struct child_case cases[] = {
    CHILD_CASE(an_empty_choice_is_the_default),
    CHILD_CASE(an_open_choice_is_the_default),
    CHILD_CASE(the_environment_may_say_sigaction),
    CHILD_CASE(the_environment_may_say_manual),
    CHILD_CASE(an_unknown_name_is_refused),
    CHILD_CASE(the_environment_may_say_sigsegv),
    CHILD_CASE(the_hosts_choice_beats_the_environments),
    CHILD_CASE(a_source_that_is_not_whole_is_refused),
    CHILD_CASE(a_source_of_ones_own),
    CHILD_CASE(a_watch_that_fails_fails_the_create),
};

int main(int argc, char **argv)
{
    /* The cases set the source themselves. */
    (void)unsetenv("MOAT_TRAP_SOURCE");
    child_prepare = NULL;
    return child_cases_run("the source of the signals", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
