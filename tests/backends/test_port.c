/*
 * test_port.c: the rows of docs/backends.md on the generic port: what it has,
 * what it refuses and how, and what its reports say of a trap. With a port to
 * the CPU, that nothing of it is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "../support/fixture.h"

static int *volatile nowhere;

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static moat_event resume(moat_co *co)
{
    moat_event event = {0};

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    return event;
}

/* With a port it must be what that returns. */
static void expect_refused(moat_status status, moat_status with_port)
{
    EXPECT_EQ(status, PORT_IS_GENERIC ? MOAT_E_UNSUPPORTED : with_port);
    if (PORT_IS_GENERIC)
        EXPECT(strstr(moat_error_detail(), "this CPU") != NULL);
}

/* ---- The name ---- */

static void the_info_names_the_port(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_STR(info.arch, PORT);
}

static void an_older_struct_has_no_port(const void *arg)
{
    moat_engine_info info;

    (void)arg;
    memset(&info, 0xee, sizeof info);
    info.struct_size = offsetof(moat_engine_info, arch);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ((uintptr_t)info.arch, (uintptr_t)0xeeeeeeeeeeeeeeee);
}

/* ---- What is refused ---- */

static void *yielding_guest(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return NULL;
}

static void slices_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    (void)arg;
    limits.slice_ns = 1000000;
    options.limits = &limits;
    expect_refused(moat_co_create(&co, yielding_guest, &options), MOAT_OK);
    moat_co_destroy(co);
}

static void other_sources_are_refused(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    options.source = &moat_source_manual;
    expect_refused(moat_engine_init(&options), MOAT_OK);
}

static void other_sources_of_the_environment_are_refused(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("MOAT_TRAP_SOURCE", "manual", 1) == 0);
    expect_refused(moat_engine_init(NULL), MOAT_OK);
}

static void backtraces_are_refused(const void *arg)
{
    moat_co *co = create(yielding_guest);
    moat_frame frames[8];
    size_t count = 0;

    (void)arg;
    (void)resume(co);
    expect_refused(moat_backtrace_fp(frames, 8, &count),
                   count == 8 ? MOAT_E_LIMIT : MOAT_OK);
    expect_refused(moat_co_backtrace(co, frames, 8, &count), MOAT_OK);
    if (PORT_IS_GENERIC)
        expect_refused(moat_backtrace(frames, 8, &count), MOAT_OK);
    (void)resume(co);
    moat_co_destroy(co);
}

static void *null_writer(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    *nowhere = 1;
    return NULL;
}

static void core_files_and_locks_are_refused(const void *arg)
{
    moat_co *co = create(null_writer);
    const char *function = NULL;
    FILE *file = tmpfile();

    (void)arg;
    REQUIRE(file != NULL);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_TRAP);
    expect_refused(moat_co_write_core(co, fileno(file)), MOAT_OK);
    if (PORT_IS_GENERIC) {
        expect_refused(moat_co_lock_function(co, &function), MOAT_OK);
        EXPECT(moat_co_is_poisoned(co));
    }
    moat_co_destroy(co);
    (void)fclose(file);
}

static void rules_of_registered_code_are_refused(const void *arg)
{
    static const unsigned char code[16], entries[16];
    moat_code asked = MOAT_CODE_INIT;
    moat_code_id id = 0;

    (void)arg;
    asked.start = code;
    asked.size = sizeof code;
    asked.unwind = MOAT_CODE_UNWIND_CFI;
    asked.eh_frame = entries;
    asked.eh_frame_bytes = sizeof entries;
    expect_refused(moat_code_register(&asked, &id), MOAT_E_INVAL);
    asked.unwind = MOAT_CODE_UNWIND_FP;
    asked.eh_frame = NULL;
    asked.eh_frame_bytes = 0;
    EXPECT_EQ(moat_code_register(&asked, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

static void a_signal_cannot_be_offered(const void *arg)
{
    siginfo_t info;
    ucontext_t context;

    (void)arg;
    if (!PORT_IS_GENERIC)
        return;
    memset(&info, 0, sizeof info);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(getcontext(&context) == 0);
    EXPECT(!moat_trap_handle(SIGSEGV, &info, &context));
}

/* ---- Traps ---- */

static void expect_trap(moat_co *co, moat_trap_kind kind, moat_trap_info *info)
{
    *info = (moat_trap_info)MOAT_TRAP_INFO_INIT;
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, info), MOAT_OK);
    EXPECT_EQ(info->kind, kind);
    moat_co_destroy(co);
}

/* What is not known is not invented. */
static void a_trap_names_what_is_known(const void *arg)
{
    moat_trap_info info;
    uintptr_t begin = (uintptr_t)null_writer;

    (void)arg;
    expect_trap(create(null_writer), MOAT_TRAP_NULL, &info);
    EXPECT_EQ(info.signo, SIGSEGV);
    EXPECT_EQ(info.address, 0);
    EXPECT(info.pc >= begin && info.pc - begin < 256);
    EXPECT(info.stack_used > 0 && info.stack_used < 8192);
    EXPECT_EQ(info.access,
              PORT_IS_GENERIC ? MOAT_ACCESS_NONE : MOAT_ACCESS_WRITE);
    EXPECT_EQ(info.fp == 0, PORT_IS_GENERIC);
}

static volatile bool goes_on = true;

static int deep(volatile char *above)
{
    volatile char here[512];

    here[0] = *above;
    return goes_on ? deep(here) + here[0] : 0;
}

static void *overflowing_guest(moat_co *self, void *input)
{
    char first = 0;

    (void)self;
    (void)input;
    return (void *)(uintptr_t)deep(&first);
}

static void *aborting_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    abort();
}

static void *illegal_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    __builtin_trap();
}

static void *far_writer(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    *(volatile int *)(uintptr_t)0x1000000000 = 1;
    return NULL;
}

static void *raising_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    (void)raise(SIGFPE);
    return NULL;
}

static void faults_are_traps(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        expect_trap(create(overflowing_guest), MOAT_TRAP_STACK_OVERFLOW, &info);
        EXPECT_EQ(info.region, MOAT_REGION_OWN_GUARD);
        expect_trap(create(aborting_guest), MOAT_TRAP_ABORT, &info);
        expect_trap(create(illegal_guest), MOAT_TRAP_ILLEGAL, &info);
        expect_trap(create(far_writer), MOAT_TRAP_MEMORY, &info);
        EXPECT_EQ(info.address, 0x1000000000);
        expect_trap(create(raising_guest), MOAT_TRAP_ARITHMETIC, &info);
    }
}

/* Who has sent it is not known: the exception that docs/backends.md names. */
static void *kill_guest(void *thread)
{
    (void)usleep(20000);
    (void)pthread_kill(*(pthread_t *)thread, SIGABRT);
    return NULL;
}

static void *looping_guest(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    while (goes_on)
        continue;
    return NULL;
}

static void a_signal_by_pthread_kill_counts_as_the_guests(const void *arg)
{
    pthread_t self = pthread_self(), other;
    moat_trap_info info;

    (void)arg;
    REQUIRE(pthread_create(&other, NULL, kill_guest, &self) == 0);
    expect_trap(create(looping_guest), MOAT_TRAP_ABORT, &info);
    REQUIRE(pthread_join(other, NULL) == 0);
}

static void deadlines_stop_a_loop(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info;
    moat_co *co = NULL;

    (void)arg;
    options.limits = &limits;
    for (int i = 0; i < 6; i++) {
        limits.wall_ns = i % 2 == 0 ? 10000000 : 0;
        limits.resume_cpu_ns = i % 2 != 0 ? 10000000 : 0;
        REQUIRE(moat_co_create(&co, looping_guest, &options) == MOAT_OK);
        expect_trap(co, MOAT_TRAP_DEADLINE, &info);
    }
}

/* ---- Recovery points and host calls ---- */

static void write_nowhere(void *arg)
{
    (void)arg;
    *nowhere = 1;
}

static void *recovering_guest(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)input;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_notrap_call(write_nowhere, NULL, &info), MOAT_E_FAULT);
        EXPECT_EQ(info.kind, MOAT_TRAP_NULL);
        (void)moat_co_yield(self, NULL);
    }
    return NULL;
}

static void recovery_points_take_faults(const void *arg)
{
    moat_co *co = create(recovering_guest);

    (void)arg;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(resume(co).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(resume(co).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void *frame_of(void *arg)
{
    (void)arg;
    return __builtin_frame_address(0);
}

static void *calling_guest(moat_co *self, void *input)
{
    char *here = __builtin_frame_address(0);
    char *there = moat_call_on_parent(self, frame_of, NULL);

    (void)input;
    return (void *)(uintptr_t)(labs(here - there) > 65536);
}

static void host_calls_run_on_the_resumers_stack(const void *arg)
{
    moat_co *co = create(calling_guest);
    moat_event event = resume(co);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value != NULL);
    moat_co_destroy(co);
}

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_info_names_the_port),
        CHILD_CASE(an_older_struct_has_no_port),
        CHILD_CASE(slices_are_refused),
        CHILD_CASE(other_sources_are_refused),
        CHILD_CASE(other_sources_of_the_environment_are_refused),
        CHILD_CASE(backtraces_are_refused),
        CHILD_CASE(core_files_and_locks_are_refused),
        CHILD_CASE(rules_of_registered_code_are_refused),
        CHILD_CASE(a_signal_cannot_be_offered),
        CHILD_CASE(a_trap_names_what_is_known),
        {"faults_are_traps", faults_are_traps, NULL,
         UNDER_ASAN ? "the sanitizer's own look faults before" : NULL, 0, 0},
        {"a_signal_by_pthread_kill_counts_as_the_guests",
         a_signal_by_pthread_kill_counts_as_the_guests, NULL,
         SWITCH_BY_THREADS ? "the signal waits for the host" : NULL,
         PORT_IS_GENERIC ? 0 : SIGABRT, 0},
        CHILD_CASE(deadlines_stop_a_loop),
        CHILD_CASE(recovery_points_take_faults),
        CHILD_CASE(host_calls_run_on_the_resumers_stack),
    };

    return child_cases_run("port", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
