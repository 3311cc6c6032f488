/*
 * test_script.c: the frames of scripts stand in their places in backtraces, and
 * an interpreter that cannot be read costs them alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unwind.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#if UNDER_TSAN
#    define NO_LIMITS "no code is cut by a time limit under ThreadSanitizer"
#else
#    define NO_LIMITS NULL
#endif

#if UNDER_TSAN || UNDER_ASAN
#    define NO_MEMORY "the sanitizer needs address space itself"
#    define NO_LOCKS  "the sanitizer's functions stand before the C library's"
#else
#    define NO_MEMORY NULL
#    define NO_LOCKS  NULL
#endif

/* ---- A toy: its script's calls, and native frames that run them ---- */

#define CALLS 16

struct toy {
    struct {
        const char *function;
        bool entered;
    } calls[CALLS]; /* outermost first */
    int depth;
    void (*end)(struct toy *); /* called at the bottom              */
    void (*walk_first)(void);  /* before and after the calls are    */
    void (*walk_last)(void);   /* named; NULL: nothing              */
    struct toy *inner;
    moat_co *co;
};

static volatile int after; /* work behind a call, so that it has a frame */

static void call(struct toy *toy, const char *function, bool entered)
{
    toy->calls[toy->depth].function = function;
    toy->calls[toy->depth++].entered = entered;
}

/* The loop: each level of it runs two calls. */
static __attribute__((noinline)) void loop(struct toy *toy, int levels)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};

    call(toy, names[toy->depth], true);
    call(toy, names[toy->depth], false);
    if (levels > 1)
        loop(toy, levels - 1);
    else
        toy->end(toy);
    after++;
}

static void fault(struct toy *toy)
{
    (void)toy;
    write_null();
    after++;
}

static void walk(const moat_co *co, moat_script_walk *out)
{
    const struct toy *toy = moat_co_user(co);

    if (toy->walk_first != NULL)
        toy->walk_first();
    for (int i = toy->depth - 1; i >= 0; i--) {
        moat_script_frame frame = {toy->calls[i].function, "toy.txt", i + 1,
                                   toy->calls[i].entered, 0};

        moat_script_put(out, &frame);
    }
    if (toy->walk_last != NULL)
        toy->walk_last();
}

/* The extent of the loop's code is not C's to tell; the name is. */
static bool runs(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "loop") == 0;
}

static const moat_script toy_script = {sizeof(moat_script), "toy", walk, runs};

static void *run_toy(moat_co *self, void *input)
{
    loop(moat_co_user(self), 3);
    after++;
    return input;
}

static moat_co *create_with(moat_entry entry, void *user,
                            const moat_script *script)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = "toy";
    options.user = user;
    options.script = script;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_co *create_toy(struct toy *toy)
{
    return toy->co = create_with(run_toy, toy, &toy_script);
}

/* ---- What a backtrace shows ---- */

#define FRAMES 9000

static moat_described_frame frames[FRAMES];
static size_t count;

static void describe(const moat_co *co)
{
    EXPECT_EQ(moat_co_describe(co, frames, FRAMES, &count), MOAT_OK);
}

static bool is_root(const moat_described_frame *frame)
{
    return (frame->frame.flags & MOAT_FRAME_ROOT) != 0;
}

/* "loop toy:b ... [toy] main": native frames by name, but for those in between
 * that are none of the test's; the names of the script's behind a colon. */
static const char *shown(const moat_co *co)
{
    static char text[4096];

    describe(co);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const moat_described_frame *frame = &frames[i];
        bool script = frame->frame.flags == MOAT_FRAME_SCRIPT;
        bool known = script || strcmp(frame->function, "loop") == 0 ||
                     strcmp(frame->function, "fault") == 0 ||
                     strcmp(frame->function, "main") == 0;

        if (is_root(frame))
            (void)strcat(strcat(text, text[0] != '\0' ? " " : ""), "[root]");
        else if (known)
            (void)strcat(strcat(strcat(text, text[0] == '\0' ? "" : " "),
                                script ? ":" : ""),
                         frame->function);
    }
    return text;
}

/* Of the innermost coroutine. */
static const char *error_of(void)
{
    for (size_t i = 0; i < count; i++)
        if (is_root(&frames[i]))
            return frames[i].script_error;
    return "no root";
}

#define WHOLE "fault loop :f :e loop :d :c loop :b :a [root]"

/* Not a function of its own: the chain of those that resumed begins with the
 * one that resumes here, as long as it has not returned. */
static inline __attribute__((always_inline)) void expect_trap(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
}

/* ---- Places ---- */

/* main is on the stack as long as this runs. */
static void script_frames_stand_behind_the_loop_that_runs_them(const void *arg)
{
    struct toy toy = {.end = fault};
    moat_co *co = create_toy(&toy);
    char *text, *json;

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), WHOLE " main");
    EXPECT_EQ(error_of(), NULL);
    text = guest_report(moat_co_print_report, co);
    json = guest_report(moat_co_write_json, co);
    REQUIRE(text != NULL && json != NULL);
    EXPECT(strstr(text, "\n                         toy toy.txt:6 in f\n"
                        "                         toy toy.txt:5 in e\n"));
    EXPECT(strstr(text, "missing") == NULL);
    EXPECT(strstr(json, "\"script\":[{\"number\":0,\"language\":\"toy\","
                        "\"function\":\"f\",\"source\":\"toy.txt\",\"line\":6},"
                        "{\"number\":1,"));
    EXPECT(strstr(json, "script_error") == NULL);
    free(text);
    free(json);
    moat_co_destroy(co);
}

static void yield(struct toy *toy)
{
    (void)moat_co_yield(toy->co, NULL);
    after++;
}

static void a_suspended_script_is_described(const void *arg)
{
    struct toy toy = {.end = yield};
    moat_co *co = create_toy(&toy);

    (void)arg;
    EXPECT_STR(shown(co), ""); /* fresh */
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_STR(shown(co), "loop :f :e loop :d :c loop :b :a [root]");
    EXPECT_EQ(moat_co_describe(co, frames, 3, &count), MOAT_E_LIMIT);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(moat_co_describe(co, NULL, 3, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_describe(co, frames, 3, NULL), MOAT_E_INVAL);
    /* What a reset keeps. */
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    toy.depth = 0;
    toy.end = fault;
    expect_trap(co);
    EXPECT_STR(shown(co), WHOLE " main");
    moat_co_destroy(co);
}

static void walk_nameless(const moat_co *co, moat_script_walk *out)
{
    static const moat_script_frame nameless = {NULL, NULL, -1, ~0u, 0};
    static char longer[1000];
    const moat_script_frame longest = {longer, longer, 0, ~0u, (size_t)-1};

    (void)co;
    memset(longer, 'x', sizeof longer - 1);
    moat_script_put(out, NULL);
    moat_script_put(out, &nameless);
    moat_script_put(out, &longest);
    for (int i = 0; i < 4; i++)
        moat_script_put(out, &nameless);
}

static void nonsense_is_shown_as_such(const void *arg)
{
    static const moat_script script = {sizeof(moat_script),
                                       "a very long name of a language",
                                       walk_nameless, runs};
    struct toy toy = {.end = fault};
    moat_co *co = create_with(run_toy, &toy, &script);
    char *text;

    (void)arg;
    expect_trap(co);
    text = guest_report(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, " a very long nam ? in ?\n") != NULL);
    EXPECT(strstr(text, "missing") == NULL);
    free(text);
    describe(co);
    for (size_t i = 0; i < count; i++) {
        EXPECT(strlen(frames[i].module) < sizeof frames[i].module);
        if (frames[i].frame.flags == MOAT_FRAME_SCRIPT)
            EXPECT(strlen(frames[i].function) == 0 ||
                   strlen(frames[i].function) == 95);
    }
    EXPECT_EQ(error_of(), NULL);
    moat_co_destroy(co);
}

static void without_a_loop_frames_stand_before_the_border(const void *arg)
{
    static const moat_script script = {sizeof(moat_script), "toy", walk, NULL};
    struct toy toy = {.end = fault};
    moat_co *co = create_with(run_toy, &toy, &script);

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), "fault loop loop loop :f :e :d :c :b :a [root] main");
    moat_co_destroy(co);
}

static void walk_ends(const moat_co *co, moat_script_walk *out)
{
    static const moat_script_frame innermost = {"f", NULL, 0, 0, 0},
                                   outermost = {"a", NULL, 0,
                                                MOAT_SCRIPT_ENTERED, 4};

    (void)co;
    moat_script_put(out, &innermost);
    moat_script_put(out, &outermost);
}

static void
behind_skipped_frames_places_count_from_the_outermost(const void *arg)
{
    static const moat_script script = {sizeof(moat_script), "toy", walk_ends,
                                       runs};
    struct toy toy = {.end = fault};
    moat_co *co = create_with(run_toy, &toy, &script);
    char *text;

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), "fault loop :f loop loop :a [root] main");
    for (size_t i = 0; i < count; i++)
        if (frames[i].frame.flags == MOAT_FRAME_SCRIPT)
            EXPECT_EQ(frames[i].number, frames[i].function[0] == 'a' ? 5 : 0);
    text = guest_report(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, "... 4 frames left out ...\n                         "
                        "toy ? in a\n") != NULL);
    free(text);
    moat_co_destroy(co);
}

/* ---- Many ---- */

static volatile unsigned long entered, never;

/* One to one, until the stack is used up. */
static __attribute__((noinline)) unsigned long deep_loop(unsigned long n)
{
    unsigned long below;

    if (++entered == never)
        return n;
    below = deep_loop(n + 1);
    __asm__ volatile("" : "+r"(below) : : "memory");
    return below + n;
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)deep_loop(0);
}

static bool runs_deep(const moat_frame *frame, const char *function)
{
    (void)frame;
    return function != NULL && strcmp(function, "deep_loop") == 0;
}

/* The name tells how far out it is. */
static void walk_deep(const moat_co *co, moat_script_walk *out)
{
    (void)co;
    for (unsigned long n = entered; n > 0; n--) {
        moat_script_frame frame = {"deep", NULL, (int)n, MOAT_SCRIPT_ENTERED,
                                   0};

        moat_script_put(out, &frame);
    }
}

/* The n-th native frame of the loop runs the n-th frame of the script; those
 * whose native frames were left out stand behind the last that was not. */
static void expect_place(size_t i)
{
    const moat_described_frame *before = &frames[i - 1];

    if (frames[i].line > 600) {
        EXPECT_STR(before->function, "deep_loop");
        EXPECT_EQ(before->number, frames[i].number);
    } else if (frames[i].line < 400) {
        EXPECT_STR(before->function, "deep");
        EXPECT_EQ(before->number, frames[i].number - 1);
    }
}

static void an_overflow_keeps_both_ends(const void *arg)
{
    static const moat_script script = {sizeof(moat_script), "deep", walk_deep,
                                       runs_deep};
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;
    size_t found = 0, outermost = 0, before = 0;
    char *text;

    (void)arg;
    options.script = &script;
    options.stack_bytes = (size_t)1 << 20;
    REQUIRE(moat_co_create(&co, overflow, &options) == MOAT_OK);
    expect_trap(co);
    EXPECT(entered > 5000);
    describe(co);
    EXPECT_EQ(error_of(), NULL);
    for (size_t i = 1; i < count; i++) {
        if (frames[i].frame.flags != MOAT_FRAME_SCRIPT)
            continue;
        EXPECT_EQ(frames[i].number + (size_t)frames[i].line, entered);
        EXPECT(found == 0 || frames[i].number > before);
        before = frames[i].number;
        outermost = (size_t)frames[i].line;
        found++;
        expect_place(i);
    }
    EXPECT_EQ(found, 1024);
    EXPECT_EQ(outermost, 1);
    text = guest_report(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, "left out") != NULL);
    EXPECT(strstr(text, "deep ?:2 in deep\n                         "
                        "deep ?:1 in deep\n") != NULL);
    /* Said once. */
    EXPECT(strstr(strstr(text, "left out") + 1, "left out") == NULL);
    free(text);
    moat_co_destroy(co);
}

static void walk_million(const moat_co *co, moat_script_walk *out)
{
    (void)co;
    for (int n = 1; n <= 1000000; n++) {
        moat_script_frame frame = {"one", NULL, n, 0, n == 1000000 ? 5 : 0};

        moat_script_put(out, &frame);
    }
}

static void a_million_frames_in_one_activation(const void *arg)
{
    static const moat_script script = {sizeof(moat_script), "many",
                                       walk_million, runs};
    struct toy toy = {.end = fault};
    moat_co *co = create_with(run_toy, &toy, &script);
    char *text;

    (void)arg;
    expect_trap(co);
    text = guest_report(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, "many ?:1 in one\n") != NULL);
    EXPECT(strstr(text, "many ?:1000000 in one\n") != NULL);
    EXPECT(strstr(text, "... 5 frames left out") != NULL);
    EXPECT(strstr(text, "many ?:500000 in") == NULL);
    free(text);
    moat_co_destroy(co);
}

/* ---- An interpreter that cannot be read ---- */

static void raise_unwinding(void)
{
    static struct _Unwind_Exception exception;

    (void)_Unwind_RaiseException(&exception);
}

static void yield_reader(void)
{
    (void)moat_co_yield(moat_co_current(), NULL);
}

static void overflow_reader(void)
{
    (void)deep_loop(0);
}

static void spin(void)
{
    for (;;)
        __asm__ volatile("pause");
}

struct loss {
    void (*how)(void);
    const char *error;
};

static void expect_loss(bool first, const struct loss *loss)
{
    struct toy toy = {.end = fault};
    moat_co *co = create_toy(&toy);
    char *text;

    if (first)
        toy.walk_first = loss->how;
    else
        toy.walk_last = loss->how;
    expect_trap(co);
    EXPECT_STR(shown(co),
               first ? "fault loop loop loop [root] main" : WHOLE " main");
    EXPECT_STR(error_of(), loss->error);
    text = guest_report(moat_co_print_report, co);
    REQUIRE(text != NULL);
    EXPECT(strstr(text, "(frames of the script are missing: ") != NULL);
    EXPECT(strstr(text, " main+0x") != NULL);
    free(text);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    moat_co_destroy(co);
    /* Nothing is left of it. */
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* The first time nothing has been named yet, the second time all has. */
static void a_walk_that_ends_badly_costs_no_more(const void *arg)
{
    expect_loss(true, arg);
    expect_loss(false, arg);
}

static void walk_bad_text(const moat_co *co, moat_script_walk *out)
{
    moat_script_frame frame = {"good", NULL, 1, 0, 0};

    (void)co;
    moat_script_put(out, &frame);
    frame.function = (const char *)(uintptr_t)0x10;
    moat_script_put(out, &frame);
}

static void a_text_that_cannot_be_read_ends_the_walk(const void *arg)
{
    static const moat_script script = {sizeof(moat_script), "toy",
                                       walk_bad_text, runs};
    struct toy toy = {.end = fault};
    moat_co *co = create_with(run_toy, &toy, &script);

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), "fault loop :good loop loop [root] main");
    EXPECT_STR(error_of(), moat_trap_kind_str(MOAT_TRAP_NULL));
    moat_co_destroy(co);
}

static void report_again(void)
{
    static unsigned depth;
    struct toy toy = {.end = fault};
    moat_co *co;

    REQUIRE(depth++ == 0);
    co = create_toy(&toy);
    toy.walk_first = report_again;
    expect_trap(co);
    describe(co);
    EXPECT_STR(error_of(), "it is being read");
    moat_co_destroy(co);
}

static void a_report_in_a_walk_reads_no_script(const void *arg)
{
    struct toy toy = {.end = fault, .walk_first = report_again};
    moat_co *co = create_toy(&toy);

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), WHOLE " main");
    moat_co_destroy(co);
}

static void *free_nonsense(moat_co *self, void *input)
{
    static void *volatile nonsense = (void *)0x100010;

    (void)self;
    free(nonsense);
    return input;
}

static void must_not_be_called(void)
{
    (void)expect_true(false, "not to be called", __FILE__, __LINE__);
}

static void no_script_is_read_where_a_lock_may_be_held(const void *arg)
{
    struct toy toy = {.end = fault, .walk_first = must_not_be_called};
    moat_co *poisoned = create_with(free_nonsense, &toy, &toy_script);
    moat_co *co = create_toy(&toy);

    (void)arg;
    expect_trap(co);
    EXPECT_EQ(guest_resume(poisoned, NULL).kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_is_poisoned(poisoned));
    describe(poisoned);
    EXPECT_STR(error_of(), "poisoned");
    describe(co);
    EXPECT_STR(error_of(), "poisoned");
    child_exit();
}

static void free_bad(void)
{
    (void)free_nonsense(NULL, NULL);
}

/* The rest of the report is written, and the next reads no script. */
static void a_walk_that_dies_with_a_lock_poisons(const void *arg)
{
    struct toy toy = {.end = fault, .walk_last = free_bad};
    moat_co *co = create_toy(&toy);

    (void)arg;
    expect_trap(co);
    EXPECT_EQ(moat_co_describe(co, frames, FRAMES, &count), MOAT_OK);
    EXPECT(error_of() != NULL && strcmp(error_of(), "poisoned") != 0);
    describe(co);
    EXPECT_STR(error_of(), "poisoned");
    child_exit();
}

/* Bytes of address space that the process has. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    REQUIRE(file != NULL && fscanf(file, "%lu", &pages) == 1);
    (void)fclose(file);
    return (rlim_t)pages * 4096;
}

static void expect_no_memory(const moat_co *co)
{
    EXPECT_EQ(moat_co_describe(co, frames, FRAMES, &count), MOAT_E_NOMEM);
    EXPECT_EQ(count, 0);
}

/* First for nothing; then for the report, not for a stack to read on. */
static void without_memory_for_a_walk_the_report_says_so(const void *arg)
{
    const size_t room_bytes = (size_t)1 << 20;
    void *room = mmap(NULL, room_bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct toy toy = {.end = fault};
    moat_co *co = create_toy(&toy);
    struct rlimit limit = {0, RLIM_INFINITY};

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), WHOLE " main"); /* what names need is there now */
    REQUIRE(room != MAP_FAILED && setrlimit(RLIMIT_AS, &limit) == 0);
    for (moat_co *more; moat_co_create(&more, guest_echo, NULL) == MOAT_OK;)
        ;
    expect_no_memory(co);
    limit.rlim_cur = address_space();
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    expect_no_memory(co);
    REQUIRE(munmap(room, room_bytes) == 0);
    describe(co);
    EXPECT_STR(error_of(), moat_status_str(MOAT_E_NOMEM));
    EXPECT(count > 5);
    child_exit();
}

/* ---- Interpreters in interpreters ---- */

/* The outer toy's script has called a function that hosts the inner toy. */
static void host_inner(struct toy *toy)
{
    expect_trap(create_toy(toy->inner));
    describe(toy->inner->co);
    moat_co_destroy(toy->inner->co);
    after++;
}

static void each_coroutine_has_its_own_script(const void *arg)
{
    struct toy inner = {.end = fault};
    struct toy outer = {.end = host_inner, .inner = &inner};
    moat_co *co = create_toy(&outer);
    static char text[4096];

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    (void)strcpy(text, "");
    for (size_t i = 0; i < count; i++)
        if (frames[i].frame.flags == MOAT_FRAME_SCRIPT || is_root(&frames[i]))
            (void)strcat(text, is_root(&frames[i]) ? "|" : frames[i].function);
    EXPECT_STR(text, "fedcba|fedcba|");
    moat_co_destroy(co);
}

static bool in_outer;

static void host_overflow(struct toy *toy)
{
    static const moat_script script = {sizeof(moat_script), "deep", walk_deep,
                                       runs_deep};
    moat_co *co = create_with(overflow, toy, &script);

    expect_trap(co);
    describe(co);
    moat_co_destroy(co);
    in_outer = true;
    after++;
}

/* Behind the frames that were left out of the inner one's. */
static void an_overflow_inside_leaves_the_outer_script_whole(const void *arg)
{
    struct toy outer = {.end = host_overflow};
    moat_co *co = create_toy(&outer);
    char text[64] = "";
    size_t roots = 0;

    (void)arg;
    /* One more than its loop has native frames for. */
    call(&outer, "z", true);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT(in_outer);
    for (size_t i = 0; i < count; i++) {
        roots += is_root(&frames[i]);
        if (roots == 1 && frames[i].frame.flags == MOAT_FRAME_SCRIPT) {
            (void)strcat(text, frames[i].function);
            EXPECT(frames[i].frame.co == co);
        } else if (roots == 1 && strcmp(frames[i].function, "loop") == 0) {
            (void)strcat(text, "|");
        }
    }
    EXPECT_STR(text, "|gf|ed|cbz");
    moat_co_destroy(co);
}

/* The inner one's goes on for ever: the outer one's is not asked any more. */
static void one_walk_without_end_is_enough(const void *arg)
{
    struct toy inner = {.end = fault, .walk_last = spin};
    struct toy outer = {
        .end = host_inner, .inner = &inner, .walk_first = must_not_be_called};
    moat_co *co = create_toy(&outer);
    size_t roots = 0;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    for (size_t i = 0; i < count; i++)
        if (is_root(&frames[i])) {
            EXPECT_STR(frames[i].script_error,
                       moat_trap_kind_str(MOAT_TRAP_DEADLINE));
            roots++;
        }
    EXPECT_EQ(roots, 2);
    moat_co_destroy(co);
}

static void *describe_in_service(void *arg)
{
    const struct toy *toy = arg;

    EXPECT_STR(shown(toy->co),
               WHOLE " loop :f :e loop :d :c loop :b :a [root] main");
    return NULL;
}

static void serve(struct toy *toy)
{
    toy->inner->depth = 0;
    expect_trap(create_toy(toy->inner));
    (void)moat_call_on_parent(moat_co_current(), describe_in_service,
                              toy->inner);
    moat_co_destroy(toy->inner->co);
    after++;
}

static void a_service_on_the_resumers_stack_can_report(const void *arg)
{
    struct toy inner = {.end = fault};
    struct toy outer = {.end = serve, .inner = &inner};
    moat_co *co = create_toy(&outer);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* ---- Options ---- */

static void a_script_is_checked_and_copied(const void *arg)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_script script = MOAT_SCRIPT_INIT;
    struct toy toy = {.end = fault};
    moat_co *co = untouched;

    (void)arg;
    options.script = &script;
    options.user = &toy;
    EXPECT_EQ(moat_co_create(&co, run_toy, &options), MOAT_E_INVAL);
    script.walk = walk;
    script.struct_size = 8;
    EXPECT_EQ(moat_co_create(&co, run_toy, &options), MOAT_E_INVAL);
    EXPECT_EQ(co, untouched);
    script.struct_size = sizeof script;
    REQUIRE(moat_co_create(&co, run_toy, &options) == MOAT_OK);
    memset(&script, 0xff, sizeof script);
    expect_trap(co);
    describe(co);
    EXPECT_EQ(error_of(), NULL);
    for (size_t i = 0; i < count; i++)
        if (frames[i].frame.flags == MOAT_FRAME_SCRIPT)
            EXPECT_STR(frames[i].module, "script");
    moat_co_destroy(co);
    /* The next tenant of the stack has none. */
    co = guest_create(guest_write_null);
    expect_trap(co);
    describe(co);
    EXPECT_EQ(error_of(), NULL);
    moat_co_destroy(co);
}

#define LOSS(name, function, why)                           \
    {                                                       \
        name, a_walk_that_ends_badly_costs_no_more,         \
            &(const struct loss){function, why}, NULL, 0, 0 \
    }

static const struct child_case cases[] = {
    CHILD_CASE(script_frames_stand_behind_the_loop_that_runs_them),
    CHILD_CASE(a_suspended_script_is_described),
    CHILD_CASE(nonsense_is_shown_as_such),
    CHILD_CASE(without_a_loop_frames_stand_before_the_border),
    CHILD_CASE(behind_skipped_frames_places_count_from_the_outermost),
    CHILD_CASE(an_overflow_keeps_both_ends),
    CHILD_CASE(a_million_frames_in_one_activation),
    LOSS("a_walk_that_faults", write_null, "null pointer access"),
    LOSS("a_walk_that_overflows", overflow_reader, "stack overflow"),
    LOSS("a_walk_that_yields", yield_reader, "yielded"),
    LOSS("a_walk_that_throws", raise_unwinding, "exception"),
    {"a_walk_without_end", a_walk_that_ends_badly_costs_no_more,
     &(const struct loss){spin, "time limit passed"}, NO_LIMITS, 0, 0},
    CHILD_CASE(a_text_that_cannot_be_read_ends_the_walk),
    CHILD_CASE(a_report_in_a_walk_reads_no_script),
    {"no_script_is_read_where_a_lock_may_be_held",
     no_script_is_read_where_a_lock_may_be_held, NULL, NO_LOCKS, 0, 0},
    {"a_walk_that_dies_with_a_lock_poisons",
     a_walk_that_dies_with_a_lock_poisons, NULL, NO_LOCKS, 0, 0},
    {"without_memory_for_a_walk_the_report_says_so",
     without_memory_for_a_walk_the_report_says_so, NULL, NO_MEMORY, 0, 0},
    CHILD_CASE(each_coroutine_has_its_own_script),
    CHILD_CASE(an_overflow_inside_leaves_the_outer_script_whole),
    {"one_walk_without_end_is_enough", one_walk_without_end_is_enough, NULL,
     NO_LIMITS, 0, 0},
    CHILD_CASE(a_service_on_the_resumers_stack_can_report),
    CHILD_CASE(a_script_is_checked_and_copied),
};

int main(int argc, char **argv)
{
    int result = child_cases_run("frames of scripts", cases,
                                 sizeof(cases) / sizeof(cases[0]),
                                 argc > 1 ? argv[1] : NULL);

    /* No tail call: the tests look for main. */
    __asm__ volatile("" : "+r"(result) : : "memory");
    return result;
}
