/*
 * test_small_stacks.c: reports on threads, fibers and guests with little stack:
 * they have fewer names, say so, and never fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/small_stack.h"
#include "guests.h"
#include "jit.h"

#define KIB ((size_t)1 << 10)

/* ---- What is called ---- */

static moat_co *co;
static moat_status status;
static moat_described_frame described[64];
static size_t count;
static char *text, *json;
static const char *lock_function;
static char line[256];
static int sink = -1;

static void *fault_here(moat_co *self, void *input)
{
    (void)self;
    write_null();
    return input;
}

static void make_trapped(void)
{
    moat_event event;

    co = guest_create(fault_here);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    sink = memfd_create("sink", MFD_CLOEXEC);
}

static void end_trapped(void)
{
    (void)close(sink);
    moat_co_destroy(co);
}

static void print_report(void)
{
    status = moat_co_print_report(co, sink);
}

static void print_json(void)
{
    status = moat_co_write_json(co, sink);
}

static void describe(void)
{
    status = moat_co_describe(co, described, 64, &count);
}

static void write_core(void)
{
    status = moat_co_write_core(co, sink);
}

static void walk(void)
{
    moat_frame frames[2];

    status = moat_co_backtrace(co, frames, 2, &count);
}

static void look_for_locks(void)
{
    status = moat_co_lock_function(co, &lock_function);
}

static void describe_frame(void)
{
    const moat_frame frame = {(uintptr_t)fault_here + 4, 0, NULL, 0};

    status = moat_frame_describe(&frame, line, sizeof line);
}

struct call {
    const char *name;
    void (*body)(void);
    size_t least; /* bytes that it must do with */
};

static const struct call calls[] = {
    {"print_report", print_report, 8 * KIB},
    {"write_json", print_json, 8 * KIB},
    {"describe", describe, 8 * KIB},
    {"write_core", write_core, 8 * KIB},
    {"backtrace", walk, 8 * KIB},
    {"lock_function", look_for_locks, 8 * KIB},
    {"frame_describe", describe_frame, 16 * KIB},
};
#define CALLS (sizeof calls / sizeof calls[0])

/* ---- Every room ---- */

/* Stack for the checks themselves, and for the test's frames. */
#define SLACK ((size_t)1 << 10)

static void expect_enough(const struct call *call, size_t room)
{
    size_t used;

    expect_context("%s, %zu bytes", call->name, room);
    status = MOAT_E_SYSTEM;
    used = small_stack_run(room, make_trapped, call->body, end_trapped);
    EXPECT(used <= room);
    if (status == MOAT_E_LIMIT)
        EXPECT(room < call->least + SLACK);
    else
        EXPECT_EQ(status, call->body == walk ? MOAT_E_FULL : MOAT_OK);
    if (room < call->least)
        EXPECT_EQ(status, MOAT_E_LIMIT);
}

/* First small rooms, so that nothing is known yet when the limits of tables and
 * lines are passed. */
static void no_room_is_too_small_for_an_answer(const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < CALLS; i++) {
        for (size_t room = 3 * KIB; room <= 20 * KIB; room += KIB)
            expect_enough(&calls[i], room);
        for (size_t room = 44 * KIB; room <= 56 * KIB; room += 2 * KIB)
            expect_enough(&calls[i], room);
        for (size_t room = 184 * KIB; room <= 208 * KIB; room += 8 * KIB)
            expect_enough(&calls[i], room);
    }
}

/* ---- How much is used ---- */

/* Of a sanitizer's frames. */
#define MORE (UNDER_ASAN || UNDER_TSAN ? 4 * KIB : 0)

/* Nothing is in a cache yet: each is the first of its process. */
static void expect_use(void (*body)(void), size_t room, size_t at_most)
{
    size_t used = small_stack_run(room, make_trapped, body, end_trapped);

    expect_context("%zu bytes", room);
    EXPECT_EQ(status, MOAT_OK);
    EXPECT(used > KIB && used <= at_most + MORE);
}

static void names_in_memory_take_little(const void *arg)
{
    (void)arg;
    expect_use(print_report, 12 * KIB, 8 * KIB);
    expect_use(print_json, 12 * KIB, 8 * KIB);
    expect_use(describe, 12 * KIB, 8 * KIB);
    expect_use(write_core, 12 * KIB, 8 * KIB);
    expect_use(describe_frame, 40 * KIB, 16 * KIB);
}

/* Another file's take more: half of what is asked for must be enough. */
static void names_in_tables_take_more(const void *arg)
{
    (void)arg;
    expect_use(print_report, 60 * KIB, 24 * KIB);
}

/* A tenth less than what is asked for must be enough: most of it is one large
 * array of libdw's. */
static void lines_take_most(const void *arg)
{
    (void)arg;
    expect_use(print_report, SMALL_STACK_MAX, 173 * KIB);
}

/* ---- The text of a report ---- */

static char *take_report(moat_status (*write_to)(const moat_co *, int))
{
    int fd = memfd_create("report", MFD_CLOEXEC);
    char *all = calloc(1, 1 << 20);

    REQUIRE(all != NULL);
    EXPECT_EQ(write_to(co, fd), MOAT_OK);
    REQUIRE(pread(fd, all, (1 << 20) - 1, 0) > 0);
    (void)close(fd);
    return all;
}

static void report_both(void)
{
    text = take_report(moat_co_print_report);
    json = take_report(moat_co_write_json);
}

struct degree {
    size_t room;
    bool names;
    const char *said, *member; /* NULL: nothing is missing */
};

static const struct degree degrees[] = {
    {11 * KIB, false,
     "  (names of static functions and lines may be missing: too little stack "
     "is left)\n",
     "\"names_missing\":\"names of static functions and lines\","
     "\"names_obstacle\":\"too little stack is left\""},
    {60 * KIB, true, "  (lines may be missing: too little stack is left)\n",
     "\"names_missing\":\"lines\","},
    {220 * KIB, true, NULL, NULL},
};

static void expect_degree(const struct degree *degree)
{
    bool lines = degree->said == NULL;

    expect_context("%zu bytes", degree->room);
    (void)small_stack_run(degree->room, make_trapped, report_both, end_trapped);
    EXPECT(strstr(text, "null pointer access") != NULL);
    EXPECT(strstr(text, "[coroutine ") != NULL);
    EXPECT((strstr(text, "fault_here+0x") != NULL) == degree->names);
    EXPECT((strstr(json, "\"fault_here\"") != NULL) == degree->names);
    EXPECT((strstr(text, "test_small_stacks.c:") != NULL) == lines);
    EXPECT((strstr(json, "\"file\"") != NULL) == lines);
    EXPECT(lines || strstr(text, degree->said) != NULL);
    EXPECT((strstr(text, "may be missing") == NULL) == lines);
    EXPECT((strstr(json, "names_missing") == NULL) == lines);
    EXPECT(lines || strstr(json, degree->member) != NULL);
    free(text);
    free(json);
}

static void a_report_says_what_it_lacks(const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof degrees / sizeof degrees[0]; i++)
        expect_degree(&degrees[i]);
}

/* ---- Other stacks than an attached thread's own ---- */

static ucontext_t fiber, thread;

static void on_a_fiber(void)
{
    make_trapped();
    report_both();
    end_trapped();
}

/* moat does not know the bounds of a fiber of the host's; its guard is there.
 */
static void a_hosts_fiber_is_enough(const void *arg)
{
    const size_t bytes = 64 * KIB, guard = 256 * KIB;
    char *stack = mmap(NULL, guard + bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg;
    REQUIRE(stack != MAP_FAILED && mprotect(stack, guard, PROT_NONE) == 0);
    REQUIRE(getcontext(&fiber) == 0);
    fiber.uc_stack.ss_sp = stack + guard;
    fiber.uc_stack.ss_size = bytes;
    fiber.uc_link = &thread;
    makecontext(&fiber, on_a_fiber, 0);
    REQUIRE(swapcontext(&thread, &fiber) == 0);
    EXPECT(strstr(text, "null pointer access") != NULL);
    EXPECT(strstr(text, "(lines may be missing") != NULL);
    free(text);
    free(json);
    (void)munmap(stack, guard + bytes);
}

static void *report_as_guest(moat_co *self, void *input)
{
    (void)self;
    make_trapped();
    report_both();
    end_trapped();
    return input;
}

static void a_guest_with_a_small_stack_has_names(const void *arg)
{
    moat_co *host = guest_create_on(report_as_guest, 80 * KIB);

    (void)arg;
    EXPECT_EQ(guest_resume(host, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT(strstr(text, "fault_here+0x") != NULL);
    EXPECT(strstr(text, "(lines may be missing") != NULL);
    free(text);
    free(json);
    moat_co_destroy(host);
}

/* A thread that has nothing to do with moat may describe frames, too. */
static void a_thread_that_is_not_attached_is_enough(const void *arg)
{
    (void)arg;
    (void)small_stack_run(60 * KIB, NULL, describe_frame, NULL);
    EXPECT_EQ(status, MOAT_OK);
    EXPECT(strncmp(line, "fault_here+0x", 13) == 0);
    EXPECT(strstr(line, ".c:") == NULL);
    (void)small_stack_run(5 * KIB, NULL, describe_frame, NULL);
    EXPECT_EQ(status, MOAT_E_LIMIT);
    describe_frame(); /* the first thread */
    EXPECT_EQ(status, MOAT_OK);
    EXPECT(strstr(line, "test_small_stacks.c:") != NULL);
}

/* ---- Code without unwind information ---- */

static struct jit bare;

static void *report_below(void *arg)
{
    moat_event event;

    co = guest_create(fault_here);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    report_both();
    moat_co_destroy(co);
    return arg;
}

static void run_bare(void)
{
    jit_function run;

    memcpy(&run, &bare.code, sizeof run);
    (void)run(NULL);
}

/* libunwind's guess needs more stack than there is. */
static void a_guess_that_is_not_made_is_told(const void *arg)
{
    (void)arg;
    jit_begin(&bare);
    jit_call(&bare, (uintptr_t)report_below);
    jit_return(&bare);
    (void)jit_end(&bare);
    (void)small_stack_run(24 * KIB, NULL, run_bare, NULL);
    EXPECT(strstr(text, "(frames may be missing: too little stack") != NULL);
    EXPECT(strstr(json, "\"walk_obstacle\":\"too little stack") != NULL);
    free(text);
    free(json);
    (void)small_stack_run(100 * KIB, NULL, run_bare, NULL);
    EXPECT(strstr(text, "frames may be missing") == NULL);
    EXPECT(strstr(json, "walk_obstacle") == NULL);
    free(text);
    free(json);
}

/* ---- No network ---- */

static _Unwind_Reason_Code fault_in_callback(struct _Unwind_Context *context,
                                             void *arg)
{
    (void)context;
    (void)arg;
    write_null();
    return _URC_NO_REASON;
}

/* Under a frame of libgcc's, whose debug information is usually not here. */
static void *fault_below_libgcc(moat_co *self, void *input)
{
    (void)self;
    (void)_Unwind_Backtrace(fault_in_callback, NULL);
    return input;
}

static const char client[] = "libdebuginfod.so.1";

/* libdw would load a client, which asks the server for the debug information of
 * libgcc, and wait. */
static void a_report_asks_no_server(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9", 1) == 0);
    co = guest_create(fault_below_libgcc);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    text = take_report(moat_co_print_report);
    EXPECT(strstr(text, "fault_in_callback+0x") != NULL);
    EXPECT(strstr(text, "libgcc_s.so") != NULL);
    EXPECT(dlopen(client, RTLD_LAZY | RTLD_NOLOAD) == NULL);
    free(text);
    moat_co_destroy(co);
    if (dlopen(client, RTLD_LAZY) == NULL)
        child_leave_out("no libdebuginfod");
}

static const struct child_case cases[] = {
    CHILD_CASE(no_room_is_too_small_for_an_answer),
    CHILD_CASE(names_in_memory_take_little),
    CHILD_CASE(names_in_tables_take_more),
    CHILD_CASE(lines_take_most),
    CHILD_CASE(a_report_says_what_it_lacks),
    CHILD_CASE(a_hosts_fiber_is_enough),
    CHILD_CASE(a_guest_with_a_small_stack_has_names),
    CHILD_CASE(a_thread_that_is_not_attached_is_enough),
    CHILD_CASE(a_guess_that_is_not_made_is_told),
    CHILD_CASE(a_report_asks_no_server),
};

int main(int argc, char **argv)
{
    return child_cases_run("small stacks", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
