/*
 * test_report.c: reports in memory: whole, truncated, in one line, and the two
 * ends of long backtraces.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

static int *volatile nowhere;

__attribute__((noinline, no_sanitize("undefined"))) static void
write_to_null(void)
{
    *nowhere = 1;
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    write_to_null();
    return input;
}

static void *raise_it(moat_co *self, void *input)
{
    (void)self;
    moat_trap_raise(7);
    return input;
}

static void *spin(moat_co *self, void *input)
{
    for (;;)
        __asm__ volatile("" : : "r"(self), "r"(input) : "memory");
    return NULL;
}

static moat_co *make_trapped(moat_entry entry, const moat_limits *limits)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    options.name = "writer";
    options.limits = limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    REQUIRE(event.kind == MOAT_EVENT_TRAP);
    return co;
}

static bool has_unwinder(void)
{
    moat_frame frame;
    size_t count;

    return moat_backtrace(&frame, 1, &count) != MOAT_E_UNSUPPORTED;
}

/* ---- The same as through a descriptor ---- */

static char *written(moat_status (*write_report)(const moat_co *, int),
                     const moat_co *co, size_t *length)
{
    static char text[1 << 20];
    int fd = memfd_create("report", MFD_CLOEXEC);
    ssize_t bytes;

    REQUIRE(fd >= 0);
    EXPECT_EQ(write_report(co, fd), MOAT_OK);
    bytes = pread(fd, text, sizeof text - 1, 0);
    REQUIRE(bytes > 0);
    text[bytes] = '\0';
    *length = (size_t)bytes;
    (void)close(fd);
    return text;
}

/* The resumers' frames differ: the line of the call, and its return address. */
static size_t same_begin(const char *text)
{
    const char *root = strstr(text, "[coroutine 'writer']");

    return root != NULL ? (size_t)(root - text) : strlen(text);
}

static void a_buffer_has_what_a_descriptor_has(const void *arg)
{
    static char buffer[1 << 20];
    moat_co *co = make_trapped(fault, NULL);
    size_t length, in_buffer = 0;
    const char *text = written(moat_co_print_report, co, &length);

    (void)arg;
    EXPECT_EQ(moat_co_format_report(co, MOAT_REPORT_TEXT, buffer, sizeof buffer,
                                    &in_buffer),
              MOAT_OK);
    EXPECT_EQ(strlen(buffer), in_buffer);
    EXPECT(memcmp(buffer, text, same_begin(text)) == 0);
    EXPECT(strstr(buffer, "null pointer access") != NULL);
    EXPECT(!has_unwinder() || strstr(buffer, "write_to_null+0x") != NULL);
    text = written(moat_co_write_json, co, &length);
    EXPECT_EQ(moat_co_format_report(co, MOAT_REPORT_JSON, buffer, sizeof buffer,
                                    NULL),
              MOAT_OK);
    EXPECT(memcmp(buffer, text, 200) == 0);
    EXPECT(buffer[strlen(buffer) - 1] == '\n');
    moat_co_destroy(co);
}

static void every_size_is_terminated(const void *arg)
{
    static char buffer[1 << 16], whole[1 << 16];
    moat_co *co = make_trapped(raise_it, NULL);
    size_t length = 0, again = 0;

    (void)arg;
    REQUIRE(moat_co_format_report(co, MOAT_REPORT_LINE, whole, sizeof whole,
                                  &length) == MOAT_OK);
    EXPECT_EQ(moat_co_format_report(co, MOAT_REPORT_LINE, NULL, 0, &again),
              MOAT_E_FULL);
    EXPECT_EQ(again, length);
    for (size_t size = 1; size <= length + 1; size++) {
        memset(buffer, 'x', length + 2);
        expect_context("size %zu of %zu", size, length);
        EXPECT_EQ(
            moat_co_format_report(co, MOAT_REPORT_LINE, buffer, size, &again),
            size <= length ? MOAT_E_FULL : MOAT_OK);
        EXPECT_EQ(again, length);
        EXPECT_EQ(strlen(buffer), size - 1);
        EXPECT(memcmp(buffer, whole, size - 1) == 0);
        EXPECT(buffer[size] == 'x');
    }
    moat_co_destroy(co);
}

struct parts {
    char *text;
    size_t length, calls;
};

static void take_part(const char *bytes, size_t count, void *arg)
{
    struct parts *parts = arg;

    memcpy(parts->text + parts->length, bytes, count);
    parts->length += count;
    parts->calls++;
}

static void a_function_gets_it_in_one_piece(const void *arg)
{
    static char buffer[1 << 20], passed[1 << 20];
    struct parts parts = {passed, 0, 0};
    moat_co *co = make_trapped(fault, NULL);
    size_t length = 0;

    (void)arg;
    REQUIRE(moat_co_format_report(co, MOAT_REPORT_LINE, buffer, sizeof buffer,
                                  &length) == MOAT_OK);
    EXPECT_EQ(moat_co_pass_report(co, MOAT_REPORT_LINE, take_part, &parts),
              MOAT_OK);
    EXPECT_EQ(parts.calls, 1);
    EXPECT_EQ(parts.length, length);
    EXPECT(memcmp(passed, buffer, length) == 0);
    parts.length = 0;
    EXPECT_EQ(moat_co_pass_report(co, MOAT_REPORT_JSON, take_part, &parts),
              MOAT_OK);
    EXPECT(passed[0] == '{' && passed[parts.length - 2] == '}');
    moat_co_destroy(co);
}

/* ---- One line ---- */

static const char *line_of(moat_co *co)
{
    static char line[1024];

    EXPECT_EQ(
        moat_co_format_report(co, MOAT_REPORT_LINE, line, sizeof line, NULL),
        MOAT_OK);
    EXPECT(strchr(line, '\n') == NULL);
    return line;
}

#define BEGINS(text, with) EXPECT(strncmp(text, with, strlen(with)) == 0)

static void a_line_says_what_and_where(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = make_trapped(fault, NULL);
    const char *line = line_of(co);

    (void)arg;
    expect_context("%s", line);
    BEGINS(line,
           "coroutine 'writer' trapped: null pointer access, write to 0x0");
    EXPECT(!has_unwinder() || strstr(line, ", in write_to_null+0x") != NULL);
    moat_co_destroy(co);
    co = make_trapped(raise_it, NULL);
    line = line_of(co);
    expect_context("%s", line);
    BEGINS(line, "coroutine 'writer' trapped: raised on purpose");
    EXPECT(!has_unwinder() || strstr(line, ", in raise_it+0x") != NULL);
    moat_co_destroy(co);
    limits.wall_ns = 20000000;
    co = make_trapped(spin, &limits);
    line = line_of(co);
    expect_context("%s", line);
    BEGINS(line, "coroutine 'writer' trapped: time limit passed, ");
    EXPECT(!has_unwinder() || strstr(line, ", in spin+0x") != NULL);
    moat_co_destroy(co);
}

/* ---- Both ends in a small array ---- */

static __attribute__((noinline)) unsigned long descend(unsigned long depth)
{
    volatile char here[64] = {0};

    here[depth % 64] = 1;
    if (depth == 0)
        write_to_null();
    else
        depth = descend(depth - 1);
    return depth + (unsigned long)here[0];
}

static void *fault_deep(moat_co *self, void *input)
{
    (void)self;
    (void)descend(400);
    return input;
}

static void a_small_array_has_both_ends(const void *arg)
{
    static moat_described_frame all[600], some[600];
    moat_co *co = make_trapped(fault_deep, NULL);
    size_t total = 0, count = 0;

    (void)arg;
    if (!has_unwinder())
        child_leave_out("this build has no unwinder");
    REQUIRE(moat_co_describe(co, all, 600, &total) == MOAT_OK);
    REQUIRE(total > 400);
    EXPECT_STR(all[0].function, "write_to_null");
    for (size_t capacity = 0; capacity <= 40; capacity++) {
        size_t last = capacity * 3 / 8, first = capacity - last;

        expect_context("capacity %zu", capacity);
        EXPECT_EQ(moat_co_describe(co, some, capacity, &count), MOAT_E_FULL);
        EXPECT_EQ(count, capacity);
        for (size_t i = 0; i < first; i++)
            EXPECT_EQ(some[i].number, all[i].number);
        for (size_t i = 0; i < last; i++)
            EXPECT_EQ(some[first + i].number, all[total - last + i].number);
    }
    EXPECT_EQ(some[39].number, all[total - 1].number);
    EXPECT_EQ(moat_co_describe(co, some, total - 1, &count), MOAT_E_FULL);
    EXPECT_EQ(count, total - 1);
    EXPECT_EQ(moat_co_describe(co, some, total, &count), MOAT_OK);
    EXPECT_EQ(count, total);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(a_buffer_has_what_a_descriptor_has),
    CHILD_CASE(every_size_is_terminated),
    CHILD_CASE(a_function_gets_it_in_one_piece),
    CHILD_CASE(a_line_says_what_and_where),
    CHILD_CASE(a_small_array_has_both_ends),
};

int main(void)
{
    return child_cases_run("reports in memory", cases,
                           sizeof cases / sizeof *cases, NULL);
}
