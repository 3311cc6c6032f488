/*
 * test_reports.c: reports and backtraces reach the host, however deep the guest
 * was and whatever stood in between.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* ---- A deep overflow ---- */

static volatile unsigned long depth;

/* Ever deeper, in frames as small as the compiler makes them. */
static __attribute__((noinline)) unsigned long
descend(const volatile unsigned long *end)
{
    unsigned long below;

    depth++;
    if (depth == *end)
        return 0;
    below = descend(end);
    __asm__ volatile("" : "+r"(below) : : "memory");
    return below + *end;
}

static void *overflow(moat_co *self, void *input)
{
    static volatile unsigned long never;
    /* Unknown to the compiler, which else makes a copy of another name. */
    const volatile unsigned long *volatile end = &never;

    (void)self;
    (void)input;
    return (void *)descend(end);
}

/* The text that `write` wrote; NULL if this build cannot write it. */
static char *text_of(moat_status (*write)(const moat_co *, int),
                     const moat_co *co)
{
    int fd = memfd_create("report", MFD_CLOEXEC);
    moat_status status = write(co, fd);
    struct stat file;
    char *text;

    if (status == MOAT_E_UNSUPPORTED)
        return NULL;
    EXPECT_EQ(status, MOAT_OK);
    REQUIRE(fstat(fd, &file) == 0 && file.st_size > 0);
    text = calloc(1, (size_t)file.st_size + 1);
    REQUIRE(text != NULL);
    REQUIRE(pread(fd, text, (size_t)file.st_size, 0) == file.st_size);
    (void)close(fd);
    return text;
}

static moat_co *create_deep(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_bytes = (size_t)8 << 20;
    options.name = "deep";
    REQUIRE(moat_co_create(&co, overflow, &options) == MOAT_OK);
    return co;
}

/* The frame that resumes must still be there when the report is taken: the
 * chain of those that resumed begins with it. */
static void the_report_of_a_deep_overflow_contains_both_ends(const void *arg)
{
    moat_co *co = create_deep();
    moat_event event;
    char *text;

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(depth > 30000);
    text = text_of(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, "descend+0x") != NULL);
    EXPECT(strstr(text, "left out") != NULL);
    EXPECT(strstr(text, "[coroutine 'deep']") != NULL);
    EXPECT(strstr(text, "the_report_of_a_deep_overflow") != NULL);
    EXPECT(strstr(text, " main+0x") != NULL);
    free(text);
    moat_co_destroy(co);
}

static void the_json_of_a_deep_overflow_contains_both_ends(const void *arg)
{
    moat_co *co = create_deep();
    moat_event event;
    char *text;

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(depth > 30000);
    text = text_of(moat_co_write_json, co);
    if (text != NULL) {
        EXPECT(strstr(text, "\"descend\"") != NULL);
        EXPECT(strstr(text, "\"root\":true") != NULL);
        EXPECT(strstr(text, "\"the_json_of_a_deep_overflow") != NULL);
        EXPECT(strstr(text, "\"main\"") != NULL);
    }
    free(text);
    moat_co_destroy(co);
}

/* ---- Code without unwind information in the middle ---- */

/* Machine code with rbp = 0, as a JIT might make it: mov rdi, rsi; call. */
static moat_entry make_code(void *(*callee)(void *))
{
    unsigned char code[] = {0x55,             /* push rbp          */
                            0x31, 0xed,       /* xor ebp, ebp      */
                            0x48, 0x89, 0xf7, /* mov rdi, rsi      */
                            0x48, 0xb8, 0,    0, 0,
                            0,    0,    0,    0, 0, /* mov rax, callee   */
                            0xff, 0xd0,             /* call rax          */
                            0x5d,                   /* pop rbp           */
                            0xc3};                  /* ret               */
    uintptr_t target = (uintptr_t)callee;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_entry entry;

    REQUIRE(page != MAP_FAILED);
    memcpy(code + 8, &target, sizeof(target));
    memcpy(page, code, sizeof(code));
    memcpy(&entry, &page, sizeof(entry));
    return entry;
}

#define MANY 64

static bool is_main(const moat_frame *frame)
{
    char text[512] = "";

    EXPECT_EQ(moat_frame_describe(frame, text, sizeof(text)), MOAT_OK);
    return strncmp(text, "main+0x", 7) == 0;
}

/* A guessed root of `middle`, and behind it the host as far as main. */
static void expect_whole(const moat_frame *frames, size_t count,
                         const moat_co *middle)
{
    const unsigned guessed = MOAT_FRAME_ROOT | MOAT_FRAME_GUESSED;
    unsigned roots = 0, mains = 0;

    for (size_t i = 0; i < count; i++) {
        if (frames[i].co == middle && (frames[i].flags & MOAT_FRAME_ROOT)) {
            EXPECT_EQ(frames[i].flags & guessed, guessed);
            roots++;
        }
        mains += frames[i].co == NULL && roots == 1 && is_main(&frames[i]);
    }
    EXPECT_EQ(roots, 1);
    EXPECT_EQ(mains, 1);
    REQUIRE(count > 0);
    EXPECT(frames[count - 1].co == NULL);
}

/* Called by the machine code, on its stack. */
static void *trap_inner_and_look_back(void *inner)
{
    moat_frame frames[MANY];
    size_t count = 0;
    moat_event event;

    EXPECT_EQ(moat_co_resume(inner, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    expect_context("moat_co_backtrace");
    EXPECT_EQ(moat_co_backtrace(inner, frames, MANY, &count), MOAT_OK);
    expect_whole(frames, count, moat_co_current());
    EXPECT(count > 0 && frames[0].co == inner);
    expect_context("moat_backtrace");
    count = 0;
    EXPECT_EQ(moat_backtrace(frames, MANY, &count), MOAT_OK);
    expect_whole(frames, count, moat_co_current());
    return inner;
}

static void backtraces_cross_a_guest_without_unwind_information(const void *arg)
{
    moat_co *inner = guest_create(guest_write_null);
    moat_co *middle = guest_create(make_code(trap_inner_and_look_back));
    moat_event event = guest_resume(middle, inner);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == inner);
    moat_co_destroy(middle);
    moat_co_destroy(inner);
}

static const struct child_case cases[] = {
    CHILD_CASE(the_report_of_a_deep_overflow_contains_both_ends),
    CHILD_CASE(the_json_of_a_deep_overflow_contains_both_ends),
    CHILD_CASE(backtraces_cross_a_guest_without_unwind_information),
};

int main(int argc, char **argv)
{
    int result = child_cases_run("reports reach the host", cases,
                                 sizeof(cases) / sizeof(cases[0]),
                                 argc > 1 ? argv[1] : NULL);

    /* No tail call: the tests look for main. */
    __asm__ volatile("" : "+r"(result) : : "memory");
    return result;
}
