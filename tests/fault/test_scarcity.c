/*
 * test_scarcity.c: too little stack for a call, too little memory for a stack.
 * The status says which of them is missing, and nothing is left half done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* ---- Stack ---- */

static int null_device;

static moat_status describe(const moat_co *subject)
{
    moat_frame frame = {(uintptr_t)describe + 1, 0, NULL, 0};
    char text[256];

    (void)subject;
    return moat_frame_describe(&frame, text, sizeof(text));
}

static moat_status print_report(const moat_co *subject)
{
    return moat_co_print_report(subject, null_device);
}

static moat_status write_json(const moat_co *subject)
{
    moat_status status = moat_co_write_json(subject, null_device);

    return status == MOAT_E_UNSUPPORTED ? MOAT_OK : status;
}

static moat_status write_core(const moat_co *subject)
{
    return moat_co_write_core(subject, null_device);
}

static moat_status trace(const moat_co *subject)
{
    moat_frame frames[4];
    size_t count;

    return moat_co_backtrace(subject, frames, 4, &count);
}

struct errand {
    moat_status (*call)(const moat_co *);
    const moat_co *subject;
    moat_status status;
};

static void *run_errand(moat_co *self, void *input)
{
    struct errand *errand = input;

    errand->status = errand->call(errand->subject);
    return self;
}

/* On every stack size up to `most_kib` the call succeeds or is refused, but
 * never traps. Afterwards the host can make the same call, so no lock is left
 * held. A guest calls first: no table has been read yet, so it needs the most
 * stack. */
static void expect_done_or_refused(moat_status (*call)(const moat_co *),
                                   size_t most_kib)
{
    moat_co *subject = guest_create(guest_write_null);
    struct errand errand = {call, subject, MOAT_OK};

    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    guest_expect_trap(subject, NULL, MOAT_TRAP_NULL);
    for (size_t kib = 4; kib <= most_kib; kib += 4) {
        moat_co *co = guest_create_on(run_errand, kib << 10);

        expect_context("a stack of %zu KiB", kib);
        errand.status = MOAT_E_SYSTEM;
        EXPECT_EQ(guest_resume(co, &errand).kind, MOAT_EVENT_RETURN);
        if (kib <= 4 || errand.status != MOAT_OK)
            EXPECT_EQ(errand.status, MOAT_E_LIMIT);
        moat_co_destroy(co);
        REQUIRE(expect_failures() == 0);
    }
    EXPECT_EQ(errand.status, MOAT_OK);
    EXPECT_EQ(call(subject), MOAT_OK);
    moat_co_destroy(subject);
}

static void a_frame_is_not_described_on_a_small_stack(const void *arg)
{
    moat_co *co = guest_create_on(run_errand, (size_t)12 << 10);
    struct errand errand = {describe, NULL, MOAT_OK};

    (void)arg;
    EXPECT_EQ(guest_resume(co, &errand).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(errand.status, MOAT_E_LIMIT);
    EXPECT_EQ(describe(NULL), MOAT_OK);
    moat_co_destroy(co);
}

static void describing_a_frame_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(describe, 320);
}

static void a_report_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(print_report, 320);
}

static void json_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(write_json, 320);
}

static void a_core_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(write_core, 128);
}

static void a_backtrace_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(trace, 128);
}

static moat_status create_some(const moat_co *subject)
{
    moat_co *cos[70]; /* more than one call creates at a time */
    moat_status status;
    size_t done;

    (void)subject;
    status = moat_co_create_n(cos, guest_echo, NULL, NULL, 70, &done);
    EXPECT_EQ(done, status == MOAT_OK ? 70 : 0);
    while (done > 0)
        moat_co_destroy(cos[--done]);
    return status;
}

static void creating_many_never_overflows_the_guests_stack(const void *arg)
{
    (void)arg;
    expect_done_or_refused(create_some, 64);
}

static unsigned defers_run;

static void count_defer(void *arg)
{
    (void)arg;
    defers_run++;
}

static void *reset_input(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_co_reset(input), MOAT_E_LIMIT);
    EXPECT_EQ(defers_run, 0);
    return input;
}

static void a_reset_with_too_little_stack_has_run_no_defers(const void *arg)
{
    moat_co *subject = guest_create(guest_echo);
    moat_co *co = guest_create_on(reset_input, 4096);

    (void)arg;
    EXPECT_EQ(guest_resume(subject, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_defer(subject, count_defer, NULL), MOAT_OK);
    EXPECT_EQ(moat_co_defer(subject, count_defer, NULL), MOAT_OK);
    EXPECT_EQ(guest_resume(co, subject).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_get_state(subject), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_reset(subject), MOAT_OK);
    EXPECT_EQ(defers_run, 2);
    moat_co_destroy(co);
    moat_co_destroy(subject);
}

/* ---- Memory ---- */

/* The process's private writable memory except its stack, as RLIMIT_DATA counts
 * it. */
static size_t data_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kib = 0;

    REQUIRE(file != NULL);
    while (kib == 0 && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "VmData: %zu kB", &kib);
    (void)fclose(file);
    REQUIRE(kib != 0);
    return kib << 10;
}

static moat_status create_until_refused(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    options.stack_bytes = (size_t)1 << 20;
    for (int i = 0; i < 1000 && status == MOAT_OK; i++) {
        moat_co *co;

        status = moat_co_create(&co, guest_echo, &options);
    }
    return status;
}

/* Creates as many as possible. Those created remain, and *done counts them. */
static moat_status create_many_until_refused(void)
{
    static moat_co *cos[1000];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    size_t before, done = 0;
    moat_status status;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    before = info.live;
    options.stack_bytes = (size_t)1 << 20;
    status = moat_co_create_n(cos, guest_echo, &options, NULL, 1000, &done);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, before + done);
    EXPECT(done < 1000);
    EXPECT(cos[done] == NULL);
    while (done > 0) {
        moat_event event = {.kind = MOAT_EVENT_PANIC};

        EXPECT_EQ(moat_co_resume(cos[--done], NULL, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    }
    return status;
}

static void a_limit_on_data_is_told_as_memory_not_as_guards(const void *guard)
{
    struct rlimit limit;

    if (guard != NULL)
        REQUIRE(setenv("MOAT_GUARD", guard, 1) == 0);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    limit.rlim_cur = limit.rlim_max = data_bytes() + ((size_t)8 << 20);
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
    EXPECT_STR(moat_status_name(create_many_until_refused()), "MOAT_E_NOMEM");
    EXPECT_STR(moat_status_name(create_until_refused()), "MOAT_E_NOMEM");
}

static void leave(size_t bytes)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_DATA, &limit) == 0);
    limit.rlim_cur = data_bytes() + bytes;
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
}

static size_t left(void)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_DATA, &limit) == 0);
    return (size_t)limit.rlim_cur - data_bytes();
}

/* A stack with its guard, its colour and a page that makes the stride odd; and
 * the records of the smallest reservation. */
#define ONE_MORE(stack_bytes) \
    ((stack_bytes) + ((size_t)64 << 10) + 6 * (size_t)sysconf(_SC_PAGESIZE))

static moat_co *fitted[10000];

static size_t fill_with(size_t stack_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t count = 0;

    options.stack_bytes = stack_bytes;
    while (count < 10000 &&
           moat_co_create(&fitted[count], guest_echo, &options) == MOAT_OK)
        count++;
    EXPECT(left() < ONE_MORE(stack_bytes));
    return count;
}

/* Where as many again as there are do not fit, fewer do. */
static void a_limit_on_data_is_used_up(const void *arg)
{
    static const size_t sizes[] = {(size_t)16 << 10, (size_t)256 << 10};

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    for (size_t i = 0; i < 2; i++) {
        size_t count;

        expect_context("stacks of %zu bytes", sizes[i]);
        leave((size_t)40 << 20);
        count = fill_with(sizes[i]);
        EXPECT(count > 100);
        for (size_t j = 0; j < count; j++)
            moat_co_destroy(fitted[j]);
        EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
        /* The records of the largest reservation do not fit any more. */
        leave((size_t)300 << 10);
        count = fill_with(sizes[i]);
        EXPECT(count > 0 || ONE_MORE(sizes[i]) > (size_t)300 << 10);
        while (count > 0)
            moat_co_destroy(fitted[--count]);
        EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    }
}

/* libdw by itself ends the process. */
static void a_report_without_memory_ends_nothing(const void *arg)
{
    moat_co *co = guest_create(guest_write_null);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t bytes = (size_t)64 << 10; bytes < (size_t)16 << 20;
         bytes += bytes / 3) {
        pid_t child = fork();

        if (child == 0) {
            leave(bytes);
            (void)print_report(co);
            (void)write_json(co);
            _exit(0);
        }
        expect_context("%zu bytes", bytes);
        EXPECT_EQ(exit_status_of(child), 0);
    }
}

#if UNDER_ASAN
#    define NEEDS_FREE_MEMORY "the sanitizer maps its own data"
#else
#    define NEEDS_FREE_MEMORY NULL
#endif

static const struct child_case cases[] = {
    CHILD_CASE(a_frame_is_not_described_on_a_small_stack),
    CHILD_CASE(describing_a_frame_never_overflows_the_guests_stack),
    CHILD_CASE(a_report_never_overflows_the_guests_stack),
    CHILD_CASE(json_never_overflows_the_guests_stack),
    CHILD_CASE(a_core_never_overflows_the_guests_stack),
    CHILD_CASE(a_backtrace_never_overflows_the_guests_stack),
    CHILD_CASE(creating_many_never_overflows_the_guests_stack),
    CHILD_CASE(a_reset_with_too_little_stack_has_run_no_defers),
    {"a_report_without_memory_ends_nothing",
     a_report_without_memory_ends_nothing, NULL, NEEDS_FREE_MEMORY, 0, 0},
    {"a_limit_on_data_is_used_up", a_limit_on_data_is_used_up, NULL,
     NEEDS_FREE_MEMORY, 0, 0},
    {"a_limit_on_data_is_told_as_memory_not_as_guards",
     a_limit_on_data_is_told_as_memory_not_as_guards, NULL, NEEDS_FREE_MEMORY,
     0, 0},
    {"a_limit_on_data_with_protected_guards_is_told_as_memory",
     a_limit_on_data_is_told_as_memory_not_as_guards, "mprotect",
     NEEDS_FREE_MEMORY, 0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("scarcity is reported, and nothing is half done",
                           cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
