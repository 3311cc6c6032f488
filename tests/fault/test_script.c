/*
 * test_script.c: script frames appear at the right positions in backtraces, and
 * an interpreter that cannot be read costs only the script's frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <unwind.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#if UNDER_TSAN
#    define NO_LIMITS "ThreadSanitizer does not let a time limit stop code"
#else
#    define NO_LIMITS NULL
#endif

#if UNDER_TSAN || UNDER_ASAN
#    define NO_MEMORY "the sanitizer needs address space of its own"
#    define NO_LOCKS  "the sanitizer replaces the C library's functions"
#else
#    define NO_MEMORY NULL
#    define NO_LOCKS  NULL
#endif

/* ---- A toy interpreter and its native frames ---- */

#define CALLS 16

struct toy {
    struct {
        const char *function;
        bool entered;
    } calls[CALLS]; /* outermost first */
    int depth;
    void (*end)(struct toy *); /* called at the bottom */
    void (*walk_first)(void);  /* called before and after the frames */
    void (*walk_last)(void);   /* are put; may be NULL */
    struct toy *inner;
    moat_co *co;
};

static volatile int after; /* work after a call, so that the caller keeps its
                            * frame */

static void call(struct toy *toy, const char *function, bool entered)
{
    toy->calls[toy->depth].function = function;
    toy->calls[toy->depth++].entered = entered;
}

/* The interpreter's loop: each of its frames runs two calls. */
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

/* C cannot find the end of the loop's code, so this compares names. */
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

/* ---- Backtraces as text ---- */

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

/* Returns text like "loop toy:b ... [toy] main": the names of the test's own
 * native frames, and those of script frames after a colon. Other native frames
 * are left out. */
static const char *shown_frames(void)
{
    static char text[4096];

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

static const char *shown(const moat_co *co)
{
    describe(co);
    return shown_frames();
}

/* Returns the script error of the innermost coroutine. */
static const char *error_of(void)
{
    for (size_t i = 0; i < count; i++)
        if (is_root(&frames[i]))
            return frames[i].script_error;
    return "no root";
}

/* How often a walk that passes its time limit is tried. */
#define TRIES 20

static bool timed_out(void)
{
    const char *error = error_of();

    return error != NULL &&
           strcmp(error, moat_trap_kind_str(MOAT_TRAP_DEADLINE)) == 0;
}

#define WHOLE "fault loop :f :e loop :d :c loop :b :a [root]"

/* Always inlined: the list of resumers begins with the frame that resumes here,
 * as long as that frame exists. */
static inline __attribute__((always_inline)) void expect_trap(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
}

/* ---- Positions ---- */

/* main stays on the stack while this runs. */
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
    EXPECT_EQ(moat_co_describe(co, frames, 3, &count), MOAT_E_FULL);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(moat_co_describe(co, NULL, 3, &count), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_describe(co, frames, 3, NULL), MOAT_E_INVAL);
    /* A reset keeps the script. */
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
after_skipped_frames_positions_count_from_the_outermost(const void *arg)
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

/* One native frame per script frame, until the stack is full. */
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

/* The line number is the depth of the frame. */
static void walk_deep(const moat_co *co, moat_script_walk *out)
{
    (void)co;
    for (unsigned long n = entered; n > 0; n--) {
        moat_script_frame frame = {"deep", NULL, (int)n, MOAT_SCRIPT_ENTERED,
                                   0};

        moat_script_put(out, &frame);
    }
}

/* The n-th native frame of the loop runs the n-th frame of the script, counted
 * from the fault before those left out, and from the border after them: there
 * is one more if the innermost overflowed before the script knew of it. Script
 * frames whose native frames were left out follow the last one that was kept
 * before them. */
static void expect_place(size_t i)
{
    const moat_described_frame *before = &frames[i - 1];

    if (frames[i].line > 600) {
        EXPECT_STR(before->function, "deep_loop");
        EXPECT_EQ(before->number, frames[i].number);
    } else if (frames[i].line < 400) {
        EXPECT_STR(before->function, "deep_loop");
        EXPECT(before->number - frames[i].number <= 1);
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
    EXPECT(strstr(text, "deep ?:2 in deep\n") != NULL);
    EXPECT(strstr(text, "deep ?:1 in deep\n") != NULL);
    /* Printed once only. */
    EXPECT(strstr(strstr(text, "left out") + 1, "left out") == NULL);
    free(text);
    moat_co_destroy(co);
}

/* A million frames, or on a slow machine as many as fit into a walk's time
 * limit, but always far more than a report has room for. */
#define MILLION  1000000
#define FAR_MORE 5000

static int million = MILLION;

static void walk_million(const moat_co *co, moat_script_walk *out)
{
    (void)co;
    for (int n = 1; n <= million; n++) {
        moat_script_frame frame = {"one", NULL, n, 0, n == million ? 5 : 0};

        moat_script_put(out, &frame);
    }
}

static char *report_of_many(const moat_co *co)
{
    char *text;

    while ((text = guest_report(moat_co_print_report, co)) != NULL &&
           strstr(text, moat_trap_kind_str(MOAT_TRAP_DEADLINE)) != NULL &&
           million / 2 >= FAR_MORE) {
        free(text);
        million /= 2;
    }
    if (million < MILLION)
        (void)dprintf(STDOUT_FILENO, "slow: a walk of %d frames, not %d\n",
                      million, MILLION);
    return text;
}

static const char *many_line(int number)
{
    static char line[64];

    (void)snprintf(line, sizeof line, "many ?:%d in one\n", number);
    return line;
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
    text = report_of_many(co);
    REQUIRE(text != NULL);
    EXPECT(million >= FAR_MORE);
    EXPECT(strstr(text, "many ?:1 in one\n") != NULL);
    EXPECT(strstr(text, many_line(million)) != NULL);
    EXPECT(strstr(text, "... 5 frames left out") != NULL);
    EXPECT(strstr(text, many_line(million / 2)) == NULL);
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
    /* No state remains. */
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* First with nothing named yet, then with all frames named. */
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

static unsigned reports_in_walks;

static void report_again(void)
{
    struct toy toy = {.end = fault};
    moat_co *co;

    REQUIRE(reports_in_walks++ == 0);
    co = create_toy(&toy);
    toy.walk_first = report_again;
    expect_trap(co);
    describe(co);
    EXPECT_STR(error_of(), "it is being read");
    moat_co_destroy(co);
}

/* Names are read from files when they are first needed, which can take longer
 * than a walk's time limit. So the first report comes before the walk, and on a
 * slow or busy machine a walk that passes its limit is tried again. */
static void a_report_in_a_walk_reads_no_script(const void *arg)
{
    struct toy toy = {.end = fault};
    moat_co *co = create_toy(&toy);

    (void)arg;
    expect_trap(co);
    EXPECT_STR(shown(co), WHOLE " main");
    toy.walk_first = report_again;
    for (int left = TRIES; left > 0; left--) {
        reports_in_walks = 0;
        describe(co);
        if (!timed_out())
            break;
    }
    EXPECT_EQ(reports_in_walks, 1);
    EXPECT_STR(shown_frames(), WHOLE " main");
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
    (void)expect_true(false, "must not be called", __FILE__, __LINE__);
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

/* The rest of the report is written; the next report reads no script. */
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

/* Returns the size of the process's address space. */
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

/* First there is no memory at all, then enough for the report, but not for a
 * stack on which to read the script. */
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
    EXPECT_STR(shown(co), WHOLE " main"); /* names have been loaded now */
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

/* The outer toy's script calls a function that runs the inner toy. */
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

/* They follow the frames of the inner toy that were left out. */
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

/* The inner walk never ends, so the outer script is not read. */
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
    /* The next owner of the stack has no script. */
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
    CHILD_CASE(after_skipped_frames_positions_count_from_the_outermost),
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

    /* No tail call, because the tests look for main. */
    __asm__ volatile("" : "+r"(result) : : "memory");
    return result;
}
