/*
 * test_engine.c: init, info, shutdown, threads, fork, and the manual source.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void *spin(moat_co *self, void *input)
{
    (void)self;
    for (volatile unsigned turns = 0;; turns++)
        continue;
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static void expect_event(moat_co *co, moat_event_kind kind)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, kind);
}

static moat_engine_info get_info(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    return info;
}

/* ---- Info ---- */

static void info_before_init_says_what_would_be_chosen(const void *arg)
{
    moat_engine_info before = get_info(), after;

    (void)arg;
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    EXPECT(before.guard == MOAT_GUARD_MADVISE ||
           before.guard == MOAT_GUARD_MPROTECT);
    EXPECT_EQ(before.deadline_signal, SIGRTMAX - 3);
    EXPECT_STR(before.source, "sigaction");
    EXPECT_EQ(before.page_bytes, sysconf(_SC_PAGESIZE));
    EXPECT(before.signal_stack_bytes >= (size_t)sysconf(_SC_MINSIGSTKSZ));
    EXPECT_EQ(before.live, 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    after = get_info();
    EXPECT(memcmp(&before, &after, sizeof before) == 0);
}

static void info_stays_in_its_callers_struct(const void *arg)
{
    moat_engine_info info;

    (void)arg;
    memset(&info, 0xee, sizeof info);
    info.struct_size = offsetof(moat_engine_info, source);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.page_bytes, sysconf(_SC_PAGESIZE));
    EXPECT_EQ((uintptr_t)info.source, (uintptr_t)0xeeeeeeeeeeeeeeee);
    EXPECT(info.guard == MOAT_GUARD_MADVISE ||
           info.guard == MOAT_GUARD_MPROTECT);
    EXPECT_EQ(moat_engine_get_info(NULL), MOAT_E_INVAL);
}

/* ---- Guards ---- */

static void the_environment_chooses_guards(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("MOAT_GUARD", "mprotect", 1) == 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(get_info().guard, MOAT_GUARD_MPROTECT);
    expect_event(create(fault), MOAT_EVENT_TRAP);
}

static void garbage_in_the_environment_is_refused(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(setenv("MOAT_GUARD", "none", 1) == 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create(&co, echo, NULL), MOAT_E_INVAL);
    EXPECT(co == NULL);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    EXPECT_EQ(get_info().guard, MOAT_GUARD_AUTO); /* none has been chosen yet */
}

static void the_option_beats_the_environment(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    REQUIRE(setenv("MOAT_GUARD", "none", 1) == 0);
    options.guard = MOAT_GUARD_MPROTECT;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_EQ(get_info().guard, MOAT_GUARD_MPROTECT);
}

static void a_guard_that_the_kernel_lacks_is_refused(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_status expected;

    (void)arg;
    REQUIRE(unsetenv("MOAT_GUARD") == 0);
    expected = get_info().guards_by_madvise ? MOAT_OK : MOAT_E_UNSUPPORTED;
    options.guard = MOAT_GUARD_MADVISE;
    EXPECT_EQ(moat_engine_init(&options), expected);
}

/* ---- Init and shutdown ---- */

static void init_is_idempotent_and_other_options_are_refused(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    options.deadline_signal = SIGRTMIN + 1;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    options = (moat_engine_options)MOAT_ENGINE_OPTIONS_INIT;
    options.source = MOAT_SOURCE_MANUAL;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    options = (moat_engine_options)MOAT_ENGINE_OPTIONS_INIT;
    options.guard = get_info().guard == MOAT_GUARD_MPROTECT
                        ? MOAT_GUARD_MADVISE
                        : MOAT_GUARD_MPROTECT;
    EXPECT(moat_engine_init(&options) == MOAT_E_STATE ||
           !get_info().guards_by_madvise);
    options = (moat_engine_options)MOAT_ENGINE_OPTIONS_INIT;
    options.altstack = MOAT_ALTSTACK_AUTODISARM;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

static void the_kind_of_alternate_stack_is_checked(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    options.altstack = (moat_altstack_kind)2;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_INVAL);
    options.altstack = MOAT_ALTSTACK_SHARED;
    options.reserved = 1;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_INVAL);
    /* A caller that does not know the field. */
    options.reserved = 0;
    options.struct_size = offsetof(moat_engine_options, altstack);
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    options = (moat_engine_options)MOAT_ENGINE_OPTIONS_INIT;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
}

static void after_shutdown_other_options_are_welcome(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_co *co;

    (void)arg;
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK); /* never initialised */
    for (int i = 0; i < 20; i++) {
        options.deadline_signal = SIGRTMIN + 1 + i % 2;
        EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
        EXPECT_EQ(get_info().deadline_signal, SIGRTMIN + 1 + i % 2);
        co = create(fault);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
        expect_event(co, MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    }
}

static void *shut_down(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    return NULL;
}

static void a_guest_cannot_shut_down(const void *arg)
{
    moat_co *co = create(shut_down);

    (void)arg;
    expect_event(co, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void *attach_and_wait(void *arg)
{
    pthread_barrier_t *barrier = arg;

    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    (void)pthread_barrier_wait(barrier);
    (void)pthread_barrier_wait(barrier);
    return NULL;
}

static void shutdown_waits_for_no_attached_thread(const void *arg)
{
    pthread_barrier_t barrier;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_barrier_init(&barrier, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, attach_and_wait, &barrier) == 0);
    (void)pthread_barrier_wait(&barrier);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    (void)pthread_barrier_wait(&barrier);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Threads ---- */

static stack_t alternate_now(void)
{
    stack_t now;

    REQUIRE(sigaltstack(NULL, &now) == 0);
    return now;
}

static void attaching_changes_and_detaching_restores_the_stack(const void *arg)
{
    static char mine[64 << 10];
    stack_t former = {.ss_sp = mine, .ss_size = sizeof mine};

    (void)arg;
    REQUIRE(sigaltstack(&former, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_thread_attach(), MOAT_OK);
        EXPECT_EQ(moat_thread_attach(), MOAT_OK);
        EXPECT(alternate_now().ss_sp != (void *)mine);
        EXPECT_EQ(alternate_now().ss_size, get_info().signal_stack_bytes);
        EXPECT_EQ(moat_thread_detach(), MOAT_OK);
        EXPECT_EQ(moat_thread_detach(), MOAT_OK);
        EXPECT(alternate_now().ss_sp == (void *)mine);
        EXPECT_EQ(alternate_now().ss_size, sizeof mine);
    }
}

static void a_stack_put_in_place_meanwhile_stays(const void *arg)
{
    static char mine[64 << 10];
    stack_t other = {.ss_sp = mine, .ss_size = sizeof mine};

    (void)arg;
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    REQUIRE(sigaltstack(&other, NULL) == 0);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT(alternate_now().ss_sp == (void *)mine);
}

static void detaching_with_coroutines_is_refused(const void *arg)
{
    moat_co *co = create(echo);

    (void)arg;
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE);
    expect_event(co, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
}

/* ---- Fork ---- */

static void expect_child_ends_well(pid_t child)
{
    int status = -1;

    REQUIRE(child > 0);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

static void a_forked_child_can_go_on(const void *arg)
{
    moat_co *co = create(echo);
    pid_t child;

    (void)arg;
    expect_event(co, MOAT_EVENT_YIELD);
    child = fork();
    if (child == 0) {
        expect_event(co, MOAT_EVENT_YIELD);
        expect_event(create(fault), MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        moat_co_destroy(co);
        child_exit();
    }
    expect_child_ends_well(child);
    expect_event(co, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
}

static void a_forked_child_has_time_limits_too(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;
    pid_t child;

    (void)arg;
    limits.wall_ns = (uint64_t)3600 * 1000000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, echo, &options) == MOAT_OK);
    expect_event(co, MOAT_EVENT_YIELD);
    child = fork();
    if (child == 0) {
        moat_co *brief = NULL;

        limits.wall_ns = 1000000;
        REQUIRE(moat_co_create(&brief, spin, &options) == MOAT_OK);
        expect_event(brief, MOAT_EVENT_TRAP);
        moat_co_destroy(brief);
        moat_co_destroy(co);
        child_exit();
    }
    expect_child_ends_well(child);
    moat_co_destroy(co);
}

struct elsewhere {
    pthread_barrier_t barrier;
    moat_co *co;
};

static void *own_a_coroutine(void *arg)
{
    struct elsewhere *elsewhere = arg;

    elsewhere->co = create(echo);
    expect_event(elsewhere->co, MOAT_EVENT_YIELD);
    (void)pthread_barrier_wait(&elsewhere->barrier);
    (void)pthread_barrier_wait(&elsewhere->barrier);
    moat_co_destroy(elsewhere->co);
    return NULL;
}

static void in_a_child_other_threads_coroutines_are_orphans(const void *arg)
{
    struct elsewhere elsewhere;
    moat_event event;
    pthread_t thread;
    pid_t child;

    (void)arg;
    REQUIRE(pthread_barrier_init(&elsewhere.barrier, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, own_a_coroutine, &elsewhere) == 0);
    (void)pthread_barrier_wait(&elsewhere.barrier);
    child = fork();
    if (child == 0) {
        EXPECT_EQ(moat_co_resume(elsewhere.co, NULL, &event), MOAT_E_THREAD);
        moat_co_destroy(elsewhere.co);
        EXPECT_EQ(get_info().live, 0);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        child_exit();
    }
    expect_child_ends_well(child);
    (void)pthread_barrier_wait(&elsewhere.barrier);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

/* ---- The manual source ---- */

static volatile sig_atomic_t offered, claimed;

static void offer(int signo, siginfo_t *info, void *ucontext)
{
    offered++;
    if (moat_trap_handle(signo, info, ucontext)) {
        claimed++;
        return;
    }
    _exit(CHILD_FAILED);
}

static void the_manual_source_installs_nothing(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    struct sigaction action, now;
    moat_co *co;

    (void)arg;
    options.source = MOAT_SOURCE_MANUAL;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_STR(get_info().source, "manual");
    EXPECT_EQ(sigaction(SIGSEGV, NULL, &now), 0);
    EXPECT(now.sa_handler == SIG_DFL);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = offer;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    for (int i = 1; i <= 100; i++) {
        co = create(fault);
        expect_event(co, MOAT_EVENT_TRAP);
        EXPECT_EQ(claimed, i);
        moat_co_destroy(co);
    }
    EXPECT_EQ(offered, claimed);
    EXPECT(!moat_trap_handle(SIGSEGV, NULL, NULL));
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT_EQ(sigaction(SIGSEGV, NULL, &now), 0);
    EXPECT(now.sa_sigaction == offer);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(info_before_init_says_what_would_be_chosen),
        CHILD_CASE(info_stays_in_its_callers_struct),
        CHILD_CASE(the_environment_chooses_guards),
        CHILD_CASE(garbage_in_the_environment_is_refused),
        CHILD_CASE(the_option_beats_the_environment),
        CHILD_CASE(a_guard_that_the_kernel_lacks_is_refused),
        CHILD_CASE(init_is_idempotent_and_other_options_are_refused),
        CHILD_CASE(the_kind_of_alternate_stack_is_checked),
        CHILD_CASE(after_shutdown_other_options_are_welcome),
        CHILD_CASE(a_guest_cannot_shut_down),
        CHILD_CASE(shutdown_waits_for_no_attached_thread),
        CHILD_CASE(attaching_changes_and_detaching_restores_the_stack),
        CHILD_CASE(a_stack_put_in_place_meanwhile_stays),
        CHILD_CASE(detaching_with_coroutines_is_refused),
        CHILD_CASE(a_forked_child_can_go_on),
        CHILD_CASE(a_forked_child_has_time_limits_too),
        CHILD_CASE(in_a_child_other_threads_coroutines_are_orphans),
        CHILD_CASE(the_manual_source_installs_nothing),
    };

    return child_cases_run("engine", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
