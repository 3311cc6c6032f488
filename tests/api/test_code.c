/*
 * test_code.c: registered code as arguments, and its names in frames. What it
 * means to a trap is tests/fault's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define CODE ((uintptr_t)0x200000000000)

static moat_code range(uintptr_t start, size_t size, const char *name)
{
    moat_code code = MOAT_CODE_INIT;

    memcpy(&code.start, &start, sizeof start);
    code.size = size;
    code.name = name;
    return code;
}

static moat_code_id enrol(uintptr_t start, size_t size, const char *name)
{
    const moat_code code = range(start, size, name);
    moat_code_id id = 0;

    REQUIRE(moat_code_register(&code, &id) == MOAT_OK);
    EXPECT(id != 0);
    return id;
}

static void expect_refused(const moat_code *code, moat_status status)
{
    moat_code_id id = 4711;

    EXPECT_EQ(moat_code_register(code, &id), status);
    EXPECT_EQ(id, 4711);
}

/* What a frame with that return address is described as. */
static void expect_described(uintptr_t pc, unsigned flags, const char *text)
{
    const moat_frame frame = {pc, 0, NULL, flags};
    char line[256] = "";

    EXPECT_EQ(moat_frame_describe(&frame, line, sizeof line), MOAT_OK);
    EXPECT_STR(line, text);
}

static void bad_code_is_refused(const void *arg)
{
    const moat_code good = range(CODE, 64, "good");
    moat_code bad = good;

    (void)arg;
    expect_refused(NULL, MOAT_E_INVAL);
    EXPECT_EQ(moat_code_register(&good, NULL), MOAT_E_INVAL);
    bad.struct_size = 3;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(0, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, 0, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, SIZE_MAX, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(CODE, SIZE_MAX / 2, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range((uintptr_t)1 << 62, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = range(((uintptr_t)1 << 47) - 32, 64, NULL);
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.flags = 1;
    expect_refused(&bad, MOAT_E_INVAL);
    bad = good;
    bad.unwind = (moat_code_unwind)4;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.unwind = MOAT_CODE_UNWIND_FP;
    bad.frame_bytes = 8;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.unwind = MOAT_CODE_UNWIND_FIXED;
    bad.frame_bytes = 12;
    expect_refused(&bad, MOAT_E_INVAL);
    bad.frame_bytes = (size_t)1 << 30;
    expect_refused(&bad, MOAT_E_INVAL);
    EXPECT_EQ(moat_code_unregister(0), MOAT_E_INVAL);
    EXPECT_EQ(moat_code_unregister(99), MOAT_E_INVAL);
}

static void a_newer_struct_is_taken_if_its_rest_is_zero(const void *arg)
{
    struct {
        moat_code code;
        uint64_t more;
    } newer = {range(CODE, 64, NULL), 0};
    moat_code_id id;

    (void)arg;
    newer.code.struct_size = sizeof newer;
    EXPECT_EQ(moat_code_register(&newer.code, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    newer.more = 1;
    expect_refused(&newer.code, MOAT_E_UNSUPPORTED);
}

static void overlaps_have_a_status_of_their_own(const void *arg)
{
    static const struct {
        uintptr_t start;
        size_t size;
    } overlaps[] = {{CODE, 64},      {CODE - 10, 11}, {CODE + 63, 1},
                    {CODE + 10, 10}, {CODE - 1, 66},  {CODE, 1}};
    moat_code_id id = enrol(CODE, 64, "middle");

    (void)arg;
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        moat_code code = range(overlaps[i].start, overlaps[i].size, "x");

        expect_context("overlap %zu", i);
        expect_refused(&code, MOAT_E_OVERLAP);
    }
    (void)enrol(CODE - 10, 10, "before");
    (void)enrol(CODE + 64, 10, "behind");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_E_INVAL);
    EXPECT(enrol(CODE, 64, "again") != id);
    EXPECT_EQ(moat_code_unregister(id), MOAT_E_INVAL);
}

static void frames_are_described_by_the_name(const void *arg)
{
    char name[] = "compiled";
    moat_code_id id = enrol(CODE, 64, name);
    char buffer[12];
    const moat_frame frame = {CODE + 16, 0, NULL, 0};

    (void)arg;
    memset(name, 'x', sizeof name - 1);
    expect_described(CODE + 16, 0, "compiled+0x10");
    expect_described(CODE, MOAT_FRAME_TRAP, "compiled+0x0");
    /* A return address behind a call that is the last instruction. */
    expect_described(CODE + 64, 0, "compiled+0x40");
    expect_described(CODE + 64, MOAT_FRAME_TRAP, "0x200000000040");
    expect_described(CODE, 0, "0x200000000000");
    EXPECT_EQ(moat_frame_describe(&frame, buffer, sizeof buffer), MOAT_OK);
    EXPECT_STR(buffer, "compiled+0x");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
    expect_described(CODE + 16, 0, "0x200000000010");
}

/* A name that is longer than a report's line is cut off, not refused. */
static void a_name_may_be_long(const void *arg)
{
    static char name[5000];
    const moat_frame frame = {CODE + 1, 0, NULL, 0};
    char line[512] = "";

    (void)arg;
    memset(name, 'n', sizeof name - 1);
    (void)enrol(CODE, 64, name);
    EXPECT_EQ(moat_frame_describe(&frame, line, sizeof line), MOAT_OK);
    EXPECT(strncmp(line, "nnnnnnnnnn", 10) == 0);
    EXPECT(strstr(line, "n+0x1") != NULL);
}

/* A library's code, which has names. */
static void code_without_a_name_keeps_the_linkers(const void *arg)
{
    const uintptr_t page = (uintptr_t)range & ~(uintptr_t)4095;
    const moat_frame frame = {(uintptr_t)bad_code_is_refused, 0, NULL,
                              MOAT_FRAME_TRAP};
    char before[256] = "", after[256] = "";

    (void)arg;
    EXPECT_EQ(moat_frame_describe(&frame, before, sizeof before), MOAT_OK);
    (void)enrol(page - 65536, 131072, NULL);
    EXPECT_EQ(moat_frame_describe(&frame, after, sizeof after), MOAT_OK);
    EXPECT_STR(after, before);
}

static __attribute__((noinline)) unsigned own_flags(void)
{
    moat_frame frames[2];
    size_t count = 0;
    moat_status status = moat_backtrace(frames, 2, &count);

    if (status == MOAT_E_UNSUPPORTED)
        return MOAT_FRAME_JIT;
    EXPECT_EQ(status, MOAT_E_LIMIT);
    return frames[0].flags;
}

static void frames_of_code_are_marked(const void *arg)
{
    moat_code_id id;

    (void)arg;
    id = enrol((uintptr_t)own_flags, 1024, "own_flags");
    EXPECT_EQ(own_flags() & MOAT_FRAME_JIT, MOAT_FRAME_JIT);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

static void *register_as_a_guest(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_code_unregister(enrol(CODE, 64, "guest")), MOAT_OK);
    return input;
}

static void a_guest_may_register(const void *arg)
{
    moat_event event = {MOAT_EVENT_TRAP, NULL};
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, register_as_a_guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void it_stays_over_a_shutdown(const void *arg)
{
    moat_code_id id = enrol(CODE, 64, "stays");

    (void)arg;
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    expect_described(CODE + 1, 0, "stays+0x1");
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_described(CODE + 1, 0, "stays+0x1");
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

/* What is in the map of this process; "" if there is none. Removes it. */
static void take_perf_map(char *text, size_t size)
{
    char path[64];
    FILE *file;

    memset(text, 0, size);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    file = fopen(path, "re");
    if (file == NULL)
        return;
    (void)fread(text, 1, size - 1, file);
    (void)fclose(file);
    (void)unlink(path);
}

static void perf_is_told_if_the_environment_says_so(const void *arg)
{
    char text[1024];
    int status = -1;
    pid_t child;

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)enrol(CODE, 64, "first");
    (void)enrol(CODE + 64, 64, NULL);
    (void)enrol(CODE + 128, 16, "two\nlines");
    child = fork();
    if (child == 0) {
        (void)enrol(CODE + 256, 16, "child's");
        take_perf_map(text, sizeof text);
        EXPECT_STR(text, "200000000100 10 child's\n");
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    take_perf_map(text, sizeof text);
    EXPECT_STR(text, "200000000000 40 first\n200000000080 10 two?lines\n");
}

static void perf_is_not_told_otherwise(const void *arg)
{
    char text[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "0", 1) == 0);
    (void)enrol(CODE, 64, "first");
    take_perf_map(text, sizeof text);
    EXPECT_STR(text, "");
}

/* Nobody's file is written to by way of a link. */
static void a_link_in_the_place_of_the_map_is_not_followed(const void *arg)
{
    char path[64], target[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    (void)snprintf(target, sizeof target, "/tmp/moat-target-%ld",
                   (long)getpid());
    REQUIRE(symlink(target, path) == 0);
    (void)enrol(CODE, 64, "first");
    EXPECT(access(target, F_OK) != 0);
    (void)unlink(target);
    (void)unlink(path);
}

/* A pipe that nobody reads is not waited for. */
static void a_pipe_in_the_place_of_the_map_is_left_alone(const void *arg)
{
    char path[64];

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    REQUIRE(mkfifo(path, 0600) == 0);
    (void)enrol(CODE, 64, "first");
    (void)unlink(path);
}

/* A file with another name may be somebody else's; so is another user's. */
static void
a_file_of_others_in_the_place_of_the_map_is_left_alone(const void *arg)
{
    char path[64], other[64];
    struct stat found;
    int file;

    (void)arg;
    REQUIRE(setenv("MOAT_PERF_MAP", "1", 1) == 0);
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    (void)snprintf(other, sizeof other, "/tmp/moat-other-%ld", (long)getpid());
    file = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    (void)close(file);
    REQUIRE(link(other, path) == 0);
    (void)enrol(CODE, 64, "first");
    EXPECT_EQ(stat(other, &found), 0);
    EXPECT_EQ(found.st_size, 0);
    (void)unlink(other);
    (void)unlink(path);
}

/* Ten thousand, in no order, each found; then gone in another. */
static void many_are_kept_apart(const void *arg)
{
    enum { MANY = 10000, STEP = 7919 };
    static moat_code_id ids[MANY];
    char name[32];

    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        size_t n = i * STEP % MANY;

        (void)snprintf(name, sizeof name, "f%zu", n);
        ids[n] = enrol(CODE + n * 32, n % 2 == 0 ? 32 : 20, name);
    }
    for (size_t n = 0; n < MANY; n++) {
        (void)snprintf(name, sizeof name, "f%zu+0x13", n);
        expect_described(CODE + n * 32 + 0x13, MOAT_FRAME_TRAP, name);
    }
    for (size_t i = 0; i < MANY; i++)
        EXPECT_EQ(moat_code_unregister(ids[i * 271 % MANY]), MOAT_OK);
    expect_described(CODE + 16, 0, "0x200000000010");
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(bad_code_is_refused),
        CHILD_CASE(a_newer_struct_is_taken_if_its_rest_is_zero),
        CHILD_CASE(overlaps_have_a_status_of_their_own),
        CHILD_CASE(frames_are_described_by_the_name),
        CHILD_CASE(a_name_may_be_long),
        CHILD_CASE(code_without_a_name_keeps_the_linkers),
        CHILD_CASE(frames_of_code_are_marked),
        CHILD_CASE(a_guest_may_register),
        CHILD_CASE(it_stays_over_a_shutdown),
        CHILD_CASE(perf_is_told_if_the_environment_says_so),
        CHILD_CASE(perf_is_not_told_otherwise),
        CHILD_CASE(a_link_in_the_place_of_the_map_is_not_followed),
        CHILD_CASE(a_pipe_in_the_place_of_the_map_is_left_alone),
        CHILD_CASE(a_file_of_others_in_the_place_of_the_map_is_left_alone),
        CHILD_CASE(many_are_kept_apart),
    };

    return child_cases_run("registered code", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
