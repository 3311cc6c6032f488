/*
 * test_code.c: faults in registered code: its name in the report, and threads
 * that trap in it and take backtraces while code is registered and
 * unregistered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"
#include "jit.h"

static moat_co *create(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.flags = MOAT_CO_RECOVER_CODE;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static jit_function make(struct jit *jit, const char *name)
{
    jit_function function;

    jit_begin(jit);
    jit_write_null(jit);
    jit_return(jit);
    function = jit_end(jit);
    jit_register(jit, name);
    return function;
}

/* Keeps its frame while the code runs: no tail call. */
static void *run(moat_co *self, void *input)
{
    void *result = (*(jit_function *)input)(NULL);

    __asm__ volatile("" : : : "memory");
    (void)self;
    return result;
}

static void report(const moat_co *co,
                   moat_status (*write)(const moat_co *, int), char *text,
                   size_t size)
{
    int file = memfd_create("report", 0);
    ssize_t got;

    REQUIRE(file >= 0);
    EXPECT_EQ(write(co, file), MOAT_OK);
    got = pread(file, text, size - 1, 0);
    REQUIRE(got > 0);
    text[got] = '\0';
    (void)close(file);
}

static void a_report_names_the_code(const void *arg)
{
    static char text[65536];
    struct jit jit;
    jit_function function = make(&jit, "compiled_loop");
    moat_co *co = create(run);
    moat_frame some[8];
    size_t count = 0;
    moat_status status;

    (void)arg;
    guest_expect_trap(co, &function, MOAT_TRAP_NULL);
    status = moat_co_backtrace(co, some, 8, &count);
    if (status == MOAT_E_UNSUPPORTED)
        return;
    EXPECT(count > 0);
    EXPECT_EQ(some[0].flags, MOAT_FRAME_TRAP | MOAT_FRAME_JIT);
    report(co, moat_co_print_report, text, sizeof text);
    EXPECT(strstr(text, "  compiled_loop+0x0\n") != NULL);
    report(co, moat_co_write_json, text, sizeof text);
    EXPECT(strstr(text, "\"function\":\"compiled_loop\"") != NULL);
    jit_free(&jit);
}

/* ---- Walks across code without its own unwind information ---- */

static moat_frame frames[64];
static size_t frame_count;

static void walk_here(void *arg)
{
    moat_status status = moat_backtrace(frames, 64, &frame_count);

    EXPECT(status == MOAT_OK || status == MOAT_E_UNSUPPORTED);
    (void)arg;
}

/* Expects the code's frame, then that of its caller `run`, then all others up
 * to the root. */
static void expect_walked(const struct jit *jit)
{
    size_t i = 0, root;

    if (frame_count == 0)
        return; /* no unwinder */
    while (i < frame_count && frames[i].pc - (uintptr_t)jit->code > jit->used)
        i++;
    REQUIRE(i + 2 < frame_count);
    EXPECT((frames[i].flags & MOAT_FRAME_JIT) != 0);
    EXPECT(frames[i + 1].pc - (uintptr_t)run < 400);
    EXPECT_EQ(frames[i + 1].flags, 0);
    for (root = i; root < frame_count; root++) {
        EXPECT_EQ(frames[root].flags & MOAT_FRAME_GUESSED, 0);
        if (frames[root].flags & MOAT_FRAME_ROOT)
            break;
    }
    EXPECT(root < frame_count);
}

/* `before` sets up the frame, `after` removes it. */
static void walk_from_a_call(const char *before, size_t before_bytes,
                             const char *after, size_t after_bytes,
                             moat_code_unwind unwind, size_t frame_bytes)
{
    struct jit jit;
    jit_function function;
    moat_co *co = create(run);

    jit_begin(&jit);
    jit_bytes(&jit, before, before_bytes);
    jit_call(&jit, (uintptr_t)walk_here);
    jit_bytes(&jit, after, after_bytes);
    function = jit_end(&jit);
    jit_register_unwindable(&jit, "caller", unwind, frame_bytes);
    EXPECT_EQ(guest_resume(co, &function).kind, MOAT_EVENT_RETURN);
    expect_walked(&jit);
    moat_co_destroy(co);
    jit_free(&jit);
}

/* jit_call adds a frame of 8 bytes. */
static void a_walk_crosses_fixed_frames(const void *arg)
{
    (void)arg;
    walk_from_a_call("", 0, "\xc3", 1, MOAT_CODE_UNWIND_FIXED, 8);
    /* sub $0x130, %rsp; add $0x130, %rsp; ret */
    walk_from_a_call("\x48\x81\xec\x30\x01\0\0", 7,
                     "\x48\x81\xc4\x30\x01\0\0\xc3", 8, MOAT_CODE_UNWIND_FIXED,
                     0x138);
}

static void a_walk_crosses_frame_records(const void *arg)
{
    (void)arg;
    /* push %rbp; mov %rsp, %rbp; sub $0x38, %rsp; leave; ret */
    walk_from_a_call("\x55\x48\x89\xe5\x48\x83\xec\x38", 8, "\xc9\xc3", 2,
                     MOAT_CODE_UNWIND_FP, 0);
}

static void a_walk_from_a_fault_crosses_its_code(const void *arg)
{
    struct jit jit;
    jit_function function;
    moat_co *co = create(run);

    (void)arg;
    jit_begin(&jit);
    jit_bytes(&jit, "\x48\x83\xec\x58", 4); /* sub $0x58, %rsp */
    jit_write_null(&jit);
    function = jit_end(&jit);
    jit_register_unwindable(&jit, "faulty", MOAT_CODE_UNWIND_FIXED, 0x58);
    guest_expect_trap(co, &function, MOAT_TRAP_NULL);
    (void)moat_co_backtrace(co, frames, 64, &frame_count);
    expect_walked(&jit);
}

/* Registered sizes may be wrong: the walk then continues at the root. */
static void a_wrong_frame_size_does_no_harm(const void *arg)
{
    static const size_t wrong[] = {0, 16, 4096, (size_t)512 << 20};

    (void)arg;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct jit jit;
        jit_function function;
        moat_co *co = create(run);
        size_t roots = 0;

        jit_begin(&jit);
        jit_bytes(&jit, "\x48\x83\xec\x58", 4);
        jit_write_null(&jit);
        function = jit_end(&jit);
        jit_register_unwindable(&jit, "wrong", MOAT_CODE_UNWIND_FIXED,
                                wrong[i]);
        guest_expect_trap(co, &function, MOAT_TRAP_NULL);
        (void)moat_co_backtrace(co, frames, 64, &frame_count);
        for (size_t j = 0; j < frame_count; j++)
            roots += (frames[j].flags & MOAT_FRAME_ROOT) != 0;
        EXPECT(frame_count == 0 || roots == 1);
        moat_co_destroy(co);
        jit_free(&jit);
    }
}

static volatile moat_status inside;

static moat_fault_verdict register_inside(void *address, moat_access access,
                                          void *user)
{
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id;

    (void)access;
    code.start = address;
    code.size = 16;
    inside = moat_code_register(&code, &id);
    EXPECT_EQ(moat_code_unregister(1), MOAT_E_STATE);
    return mprotect(user, 4096, PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static void a_fix_may_not_register(const void *arg)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region id;

    (void)arg;
    options.bytes = 4096;
    options.begin = mmap(NULL, options.bytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    options.fix = register_inside;
    options.user = options.begin;
    REQUIRE(moat_fault_region_register(&options, &id) == MOAT_OK);
    *(volatile char *)options.begin = 1;
    EXPECT_EQ(inside, MOAT_E_STATE);
}

/* ---- A guest whose result pointer is invalid ---- */

static void *register_to_nowhere(moat_co *self, void *input)
{
    static moat_code_id *volatile nowhere = (moat_code_id *)16;
    moat_code code = MOAT_CODE_INIT;

    (void)self;
    code.start = (void *)UINT64_C(0x300000000000);
    code.size = 16;
    (void)!moat_code_register(&code, nowhere);
    return input;
}

/* Neither the registry nor a fork waits for the dead guest. */
static void a_guest_that_dies_in_a_register_holds_nothing(const void *arg)
{
    moat_co *co = guest_create(register_to_nowhere);
    struct jit jit;
    int child;

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    (void)make(&jit, "after");
    child = fork();
    if (child == 0)
        child_exit();
    EXPECT_EQ(exit_status_of(child), 0);
    jit_free(&jit);
    moat_co_destroy(co);
}

/* ---- fork ---- */

static void a_child_process_has_the_code(const void *arg)
{
    struct jit jit;
    jit_function function = make(&jit, "inherited");
    int child = fork();
    moat_co *co = create(run);

    (void)arg;
    if (child == 0) {
        struct jit more;
        jit_function other = make(&more, "own");

        guest_expect_trap(co, &function, MOAT_TRAP_NULL);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
        guest_expect_trap(co, &other, MOAT_TRAP_NULL);
        jit_free(&more);
        jit_free(&jit);
        child_exit();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    guest_expect_trap(co, &function, MOAT_TRAP_NULL);
}

/* ---- Threads that trap in code while code changes ---- */

#define THREADS  3
#define TRAFFIC  300
#define STORM_NS (4000 * MS)

static atomic_int storm_over;
static atomic_size_t traps;

/* Walks, describes and reports, whatever the other threads do. */
static void look_around(const moat_co *co)
{
    moat_frame around[64];
    size_t count = 0;
    char line[512];

    (void)moat_co_backtrace(co, around, 64, &count);
    for (size_t i = 0; i < count && i < 2; i++)
        EXPECT_EQ(moat_frame_describe(&around[i], line, sizeof line), MOAT_OK);
    if (count > 0)
        EXPECT((around[0].flags & MOAT_FRAME_JIT) != 0);
    (void)moat_backtrace(around, 64, &count);
}

static void *trap_all_the_time(void *arg)
{
    struct jit jit;
    jit_function function = make(&jit, "mine");
    moat_co *co = create(run);

    while (!atomic_load(&storm_over)) {
        guest_expect_trap(co, &function, MOAT_TRAP_NULL);
        look_around(co);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
        if (atomic_fetch_add(&traps, 1) % 8 == 0) {
            jit_free(&jit);
            function = make(&jit, "mine again");
        }
    }
    moat_co_destroy(co);
    jit_free(&jit);
    return arg;
}

static void *load_and_unload(void *arg)
{
    while (!atomic_load(&storm_over)) {
        void *library = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);

        REQUIRE(library != NULL);
        (void)dlclose(library);
        spin_until(clock_ns(CLOCK_MONOTONIC) + MS / 10);
    }
    return arg;
}

static void toggle(moat_code_id *id, size_t number)
{
    moat_code code = MOAT_CODE_INIT;

    if (*id != 0) {
        EXPECT_EQ(moat_code_unregister(*id), MOAT_OK);
        *id = 0;
        return;
    }
    code.start = (void *)(UINT64_C(0x200000000000) + 64 * number);
    code.size = 64;
    code.name = "traffic";
    EXPECT_EQ(moat_code_register(&code, id), MOAT_OK);
}

static void threads_trap_while_code_comes_and_goes(const void *arg)
{
    static moat_code_id ids[TRAFFIC];
    pthread_t threads[THREADS + 1];
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + STORM_NS;
    size_t turn;

    (void)arg;
    for (size_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, trap_all_the_time, NULL) ==
                0);
    REQUIRE(pthread_create(&threads[THREADS], NULL, load_and_unload, NULL) ==
            0);
    for (turn = 0; clock_ns(CLOCK_MONOTONIC) < end; turn++)
        toggle(&ids[turn * 7 % TRAFFIC], turn * 7 % TRAFFIC);
    atomic_store(&storm_over, 1);
    for (size_t i = 0; i <= THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < TRAFFIC; i++) {
        if (ids[i] != 0)
            toggle(&ids[i], i);
    }
    EXPECT(atomic_load(&traps) > 0);
    EXPECT(turn > TRAFFIC);
}

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_report_names_the_code),
        CHILD_CASE(a_walk_crosses_fixed_frames),
        CHILD_CASE(a_walk_crosses_frame_records),
        CHILD_CASE(a_walk_from_a_fault_crosses_its_code),
        CHILD_CASE(a_wrong_frame_size_does_no_harm),
        CHILD_CASE(a_fix_may_not_register),
        CHILD_CASE(a_guest_that_dies_in_a_register_holds_nothing),
        CHILD_CASE(a_child_process_has_the_code),
        CHILD_CASE(threads_trap_while_code_comes_and_goes),
    };

    return child_cases_run("registered code that faults", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
