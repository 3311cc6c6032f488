/*
 * test_reports.c: reports and backtraces reach the host's frames, however deep
 * the guest was and whatever lies in between.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"
#include "jit.h"

/* ---- A deep overflow ---- */

static volatile unsigned long depth;

/* Recurses in frames as small as the compiler makes them. */
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
    /* Opaque to the compiler, which would otherwise clone the function under
     * another name. */
    const volatile unsigned long *volatile end = &never;

    (void)self;
    (void)input;
    return (void *)descend(end);
}

static moat_co *create_deep(size_t mib)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.stack_bytes = mib << 20;
    options.name = "deep";
    REQUIRE(moat_co_create(&co, overflow, &options) == MOAT_OK);
    return co;
}

/* The frame that resumed must still exist when the report is taken: the list of
 * resumers begins with it. */
static void the_report_of_a_deep_overflow_contains_both_ends(const void *arg)
{
    moat_co *co = create_deep(8);
    moat_event event;
    char *text;

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(depth > 30000);
    text = guest_report(moat_co_print_report, co);
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
    moat_co *co = create_deep(8);
    moat_event event;
    char *text;

    (void)arg;
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT(depth > 30000);
    text = guest_report(moat_co_write_json, co);
    if (text != NULL) {
        EXPECT(strstr(text, "\"descend\"") != NULL);
        EXPECT(strstr(text, "\"root\":true") != NULL);
        EXPECT(strstr(text, "\"the_json_of_a_deep_overflow") != NULL);
        EXPECT(strstr(text, "\"main\"") != NULL);
    }
    free(text);
    moat_co_destroy(co);
}

/* ---- Long chains of resumers ---- */

/* Returns the number after the last `word` of a text; 0: it is not there. */
static size_t number_after(const char *text, const char *word)
{
    const char *found = NULL;

    while ((text = strstr(text, word)) != NULL)
        found = text += strlen(word);
    return found != NULL ? strtoul(found, NULL, 10) : 0;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

/* The frames that a text report shows, and those that it counts as left out. */
static size_t frames_of_text(const char *text)
{
    size_t frames = count_of(text, "\n  #");

    for (; (text = strstr(text, "\n  ... ")) != NULL; text++)
        frames += strtoul(text + strlen("\n  ... "), NULL, 10);
    return frames;
}

/* Whatever is left out, both reports know how many frames there are, and end
 * where the thread began. */
static void expect_complete(const moat_co *co, size_t least)
{
    static moat_frame frames[150000];
    char *text = guest_report(moat_co_print_report, co);
    char *json = guest_report(moat_co_write_json, co);
    size_t count = 0;

    if (text == NULL)
        return;
    EXPECT_EQ(
        moat_co_backtrace(co, frames, sizeof frames / sizeof frames[0], &count),
        MOAT_OK);
    EXPECT(count >= least);
    EXPECT_EQ(frames_of_text(text), count);
    EXPECT_EQ(number_after(text, "\n  #"), count - 1);
    EXPECT(strstr(text, " main+0x") != NULL);
    EXPECT_EQ(number_after(json, "\"frame_count\":"), count);
    EXPECT_EQ(number_after(json, "\"frames_left_out\":") +
                  count_of(json, "{\"number\":"),
              count);
    EXPECT_EQ(number_after(json, "{\"number\":"), count - 1);
    EXPECT(strstr(json, "\"main\"") != NULL);
    /* The innermost border is in both, wherever it lies. */
    EXPECT(strstr(text, "[coroutine 'deep']") != NULL);
    EXPECT(strstr(json, "\"root\":true") != NULL);
    free(text);
    free(json);
}

static __attribute__((noinline)) unsigned long resume_here(moat_co *co)
{
    moat_event event;

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    expect_complete(co, 8000);
    return 1;
}

/* Resumes from so many calls further down, whose frames are small. */
static __attribute__((noinline)) unsigned long resume_from(size_t calls,
                                                           moat_co *co)
{
    unsigned long below;

    if (calls == 0)
        return resume_here(co);
    below = resume_from(calls - 1, co);
    __asm__ volatile("" : "+r"(below) : : "memory");
    return below + 1;
}

/* Fewer frames than are kept of the outer end, and more; many more than of
 * both. */
static void a_deep_host_is_reported_up_to_main(const void *arg)
{
    static const size_t depths[] = {5, 600, 20000};

    (void)arg;
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        moat_co *co = create_deep(1);

        depth = 0;
        expect_context("%zu calls", depths[i]);
        EXPECT_EQ(resume_from(depths[i], co), depths[i] + 1);
        moat_co_destroy(co);
    }
}

#define LEVELS ((size_t)700)
#define CALLS  ((size_t)20)

struct level {
    size_t further, calls;
};

static void *nest(moat_co *self, void *input);

static moat_co *create_level(size_t further)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = further == 0 ? "deep" : "in between";
    options.stack_bytes = (size_t)512 << 10;
    REQUIRE(moat_co_create(&co, nest, &options) == MOAT_OK);
    return co;
}

static void resume_level(struct level level)
{
    moat_co *co = create_level(level.further);
    moat_event event;

    EXPECT_EQ(moat_co_resume(co, &level, &event), MOAT_OK);
    EXPECT_EQ(event.kind,
              level.further == 0 ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    if (event.kind == MOAT_EVENT_TRAP)
        expect_complete(co, LEVELS * (CALLS + 2));
    moat_co_destroy(co);
}

static __attribute__((noinline)) unsigned long call_down(struct level level)
{
    unsigned long below = 1;

    if (level.calls > 0) {
        level.calls--;
        below += call_down(level);
    } else if (level.further == 0) {
        write_null();
    } else {
        resume_level((struct level){level.further - 1, CALLS});
    }
    __asm__ volatile("" : "+r"(below) : : "memory");
    return below;
}

static void *nest(moat_co *self, void *input)
{
    (void)self;
    (void)call_down(*(struct level *)input);
    return NULL;
}

/* More borders than are kept between the two ends. */
static void a_long_chain_of_coroutines_is_reported_up_to_main(const void *arg)
{
    (void)arg;
    resume_level((struct level){LEVELS, CALLS});
}

/* ---- Coroutines without a name ---- */

static void a_coroutine_without_a_name_has_its_address(const void *arg)
{
    moat_co *co = guest_create(guest_write_null);
    char title[64], border[64], member[64], *text, *json;

    (void)arg;
    (void)snprintf(title, sizeof title, "coroutine %p trapped: ", (void *)co);
    (void)snprintf(border, sizeof border, "  [coroutine %p]\n", (void *)co);
    (void)snprintf(member, sizeof member,
                   "\"coroutine\":\"\",\"handle\":\"%p\"", (void *)co);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    text = guest_report(moat_co_print_report, co);
    json = guest_report(moat_co_write_json, co);
    REQUIRE(text != NULL && json != NULL);
    EXPECT(strncmp(text, title, strlen(title)) == 0);
    EXPECT(strstr(text, border) != NULL);
    EXPECT(strstr(text, "''") == NULL);
    EXPECT_EQ(count_of(json, member), count_of(json, "\"coroutine\":"));
    free(text);
    free(json);
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

/* Expects a guessed root of `middle`, followed by the host's frames up to
 * main. */
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

/* ---- Frame records that a stray store has changed ---- */

static struct jit broken;

/* Makes a function with a frame pointer. It overwrites its own frame record, so
 * that the record refers to itself or to another one, and then calls its
 * argument. */
static void make_broken(unsigned char source)
{
    const unsigned char code[] = {
        0x55,                        /* Registered with too small a frame: the
                                      * walk finds no caller from the size, but
                                      * the frame pointer leads to it. */
        0x48, 0x89, 0xe5,            /* mov %rsp, %rbp         */
        0xe8, 0,    0,      0,    0, /* call the next one      */
        0x58,                        /* pop %rax               */
        0x48, 0x89, source, 0x00,    /* mov `source`, (%rbp)   */
        0x48, 0x89, 0x45,   0x08,    /* mov %rax, 8(%rbp)      */
        0xff, 0xd7,                  /* call *%rdi             */
        0x0f, 0x0b,                  /* ud2                    */
    };

    jit_begin(&broken);
    jit_bytes(&broken, code, sizeof(code));
    (void)jit_end(&broken);
    jit_register_unwindable(&broken, "broken", MOAT_CODE_UNWIND_FP, 0);
}

#define FROM_RBP 0x6d /* the record itself: a circle */
#define FROM_RSI 0x75 /* the second argument */

static void run_broken(void (*callee)(void), void *record)
{
    void (*function)(void (*)(void), void *);

    memcpy(&function, &broken.code, sizeof(function));
    function(callee, record);
}

static void *fault_in_broken(moat_co *self, void *input)
{
    (void)self;
    run_broken(write_null, NULL);
    return input;
}

static size_t roots_among(const moat_frame *frames, size_t count)
{
    size_t roots = 0;

    for (size_t i = 0; i < count; i++)
        roots += (frames[i].flags & MOAT_FRAME_ROOT) != 0;
    return roots;
}

static void a_walk_of_the_dead_leaves_a_circle(const void *arg)
{
    moat_frame frames[MANY];
    size_t count = 0;
    moat_co *co = guest_create(fault_in_broken);
    char *text;

    (void)arg;
    make_broken(FROM_RBP);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT(!moat_co_is_poisoned(co));
    EXPECT_EQ(moat_co_backtrace(co, frames, MANY, &count), MOAT_OK);
    EXPECT_EQ(frames[1].flags, MOAT_FRAME_JIT);
    EXPECT_EQ(roots_among(frames, count), 1);
    text = guest_report(moat_co_print_report, co);
    EXPECT(text != NULL && strstr(text, "broken+0x") != NULL);
    free(text);
    moat_co_destroy(co);
    jit_free(&broken);
}

/* Registered with too small a frame: the walk finds no caller there, the frame
 * pointer does. */
static void make_misregistered(void)
{
    static const unsigned char code[] = {
        0x55,                   /* push %rbp            */
        0x48, 0x89, 0xe5,       /* mov %rsp, %rbp       */
        0x6a, 0x00, 0x6a, 0x00, /* push $0; push $0     */
        0xff, 0xd7,             /* call *%rdi           */
        0xc9, 0xc3,             /* leave; ret           */
    };

    jit_begin(&broken);
    jit_bytes(&broken, code, sizeof(code));
    (void)jit_end(&broken);
    jit_register_unwindable(&broken, "broken", MOAT_CODE_UNWIND_FIXED, 8);
}

static void frame_records_go_on_where_a_walk_ends(const void *arg)
{
    moat_frame frames[MANY];
    size_t count = 0;
    moat_co *co = guest_create(fault_in_broken);

    (void)arg;
    make_misregistered();
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_backtrace(co, frames, MANY, &count), MOAT_OK);
    REQUIRE(count > 3);
    EXPECT_EQ(frames[1].flags, MOAT_FRAME_JIT);
    EXPECT_EQ(frames[2].flags, MOAT_FRAME_GUESSED);
    for (size_t i = 1; i < count; i++)
        EXPECT(frames[i].sp > frames[i - 1].sp);
    moat_co_destroy(co);
    jit_free(&broken);
}

static moat_co *inner;

static __attribute__((noinline)) void trap_the_inner(void)
{
    guest_expect_trap(inner, NULL, MOAT_TRAP_NULL);
}

static void expect_on_stack(const moat_frame *frames, size_t count,
                            const moat_co *co)
{
    moat_stack_info stack = {0, 0, 0, 0, 0};

    EXPECT_EQ(moat_stack_bounds(&stack), MOAT_OK);
    for (size_t i = 0; i < count; i++)
        if (frames[i].co == co)
            EXPECT(frames[i].sp >= stack.limit && frames[i].sp < stack.base);
}

/* The function that resumed the inner guest has returned, so its frame is not
 * found. */
static void look_back_from_broken(void)
{
    const moat_co *self = moat_co_current();
    moat_frame frames[MANY];
    size_t count = 0;

    EXPECT_EQ(moat_backtrace(frames, MANY, &count), MOAT_OK);
    expect_whole(frames, count, self);
    expect_on_stack(frames, count, self);
    count = 0;
    EXPECT_EQ(moat_co_backtrace(inner, frames, MANY, &count), MOAT_OK);
    EXPECT_EQ(roots_among(frames, count), 1);
    EXPECT(count > 1 && frames[count - 1].co == inner);
    moat_trap_raise(1);
}

static void *look_from_broken(moat_co *self, void *record)
{
    (void)self;
    trap_the_inner();
    run_broken(look_back_from_broken, record);
    return NULL;
}

static void look_from_broken_in_a_guest(void *record)
{
    moat_co *co = guest_create(look_from_broken);

    inner = guest_create(guest_write_null);
    guest_expect_trap(co, record, MOAT_TRAP_RAISED);
    moat_co_destroy(co);
    moat_co_destroy(inner);
    jit_free(&broken);
}

static void a_walk_of_the_living_leaves_a_circle(const void *arg)
{
    (void)arg;
    make_broken(FROM_RBP);
    look_from_broken_in_a_guest(NULL);
}

/* A record in the host's frames, further up, must not be followed yet. */
static void a_walk_of_the_living_stays_on_the_guests_stack(const void *arg)
{
    (void)arg;
    make_broken(FROM_RSI);
    look_from_broken_in_a_guest(__builtin_frame_address(0));
}

static const struct child_case cases[] = {
    CHILD_CASE(the_report_of_a_deep_overflow_contains_both_ends),
    CHILD_CASE(the_json_of_a_deep_overflow_contains_both_ends),
    CHILD_CASE(a_deep_host_is_reported_up_to_main),
    CHILD_CASE(a_long_chain_of_coroutines_is_reported_up_to_main),
    CHILD_CASE(a_coroutine_without_a_name_has_its_address),
    CHILD_CASE(backtraces_cross_a_guest_without_unwind_information),
    CHILD_CASE(a_walk_of_the_dead_leaves_a_circle),
    CHILD_CASE(frame_records_go_on_where_a_walk_ends),
    CHILD_CASE(a_walk_of_the_living_leaves_a_circle),
    CHILD_CASE(a_walk_of_the_living_stays_on_the_guests_stack),
};

int main(int argc, char **argv)
{
    int result = child_cases_run("reports reach the host", cases,
                                 sizeof(cases) / sizeof(cases[0]),
                                 argc > 1 ? argv[1] : NULL);

    /* No tail call, because the tests look for main. */
    __asm__ volatile("" : "+r"(result) : : "memory");
    return result;
}
