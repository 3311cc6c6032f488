/*
 * test_copied.c: coroutines that take turns on one stack (MOAT_STACK_COPIED):
 * each finds its frames as it left them, and costs what they are long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define KIB  ((size_t)1024)
#define MANY ((size_t)1000)

static moat_co_options copied(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_kind = MOAT_STACK_COPIED;
    return options;
}

static moat_co *create_with(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry)
{
    moat_co_options options = copied();

    return create_with(entry, &options);
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL, NULL};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static moat_trap_info expect_trap(moat_co *co, void *input, moat_trap_kind kind)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(resume(co, input).kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_trap_info(co, &trap) == MOAT_OK);
    EXPECT_EQ(trap.kind, kind);
    return trap;
}

static moat_engine_info info(void)
{
    moat_engine_info out = MOAT_ENGINE_INFO_INIT;

    REQUIRE(moat_engine_get_info(&out) == MOAT_OK);
    return out;
}

static void expect_nothing_left(void)
{
    EXPECT_EQ(info().copied_away, 0);
    EXPECT_EQ(info().copied_bytes, 0);
    EXPECT_EQ(info().live, 0);
}

/* ---- Guests ---- */

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

/* Yields from so many frames down; each finds its locals afterwards. */
__attribute__((noinline)) static unsigned dig(moat_co *self, unsigned depth,
                                              unsigned seed)
{
    volatile unsigned words[20];
    unsigned below = 0;

    for (unsigned i = 0; i < 20; i++)
        words[i] = seed + i * depth;
    if (depth != 0)
        below = dig(self, depth - 1, seed);
    else
        (void)moat_co_yield(self, NULL);
    for (unsigned i = 0; i < 20; i++)
        EXPECT_EQ(words[i], seed + i * depth);
    return below + 1;
}

static void *dig_often(moat_co *self, void *input)
{
    unsigned seed = (unsigned)(uintptr_t)input;

    for (unsigned turn = 0; turn < 10; turn++)
        EXPECT_EQ(dig(self, (seed * 7 + turn * 13) % 40, seed + turn),
                  (seed * 7 + turn * 13) % 40 + 1);
    return input;
}

static void *write_null(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

__attribute__((noinline)) static int descend(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    return depth == 0 ? frame[0] : descend(depth - 1) + frame[0];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    return (char *)input + descend(1 << 20);
}

static void *spin(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    for (;;)
        __asm__ volatile("" : : "r"(self), "r"(input) : "memory");
    return NULL;
}

/* ---- Turns ---- */

static void take_all_turns(void)
{
    moat_co *cos[50];
    size_t done = 0;

    for (size_t i = 0; i < 50; i++)
        cos[i] = create(dig_often);
    while (done < 50) {
        done = 0;
        for (size_t i = 0; i < 50; i++) {
            if (moat_co_get_state(cos[i]) == MOAT_CO_DONE)
                done++;
            else if (resume(cos[i], (void *)i).kind == MOAT_EVENT_RETURN)
                EXPECT_EQ(moat_co_get_state(cos[i]), MOAT_CO_DONE);
        }
    }
    for (size_t i = 0; i < 50; i++)
        moat_co_destroy(cos[i]);
}

static void take_turns(const void *arg)
{
    (void)arg;
    take_all_turns();
    expect_nothing_left();
}

/* The inline functions do all the work while it is alone. */
static void alone(const void *arg)
{
    moat_co *co = create(echo);

    (void)arg;
    for (uintptr_t i = 0; i < 1000; i++)
        EXPECT(resume(co, (void *)i).value == (void *)i);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    EXPECT(resume(co, co).value == co);
    moat_co_destroy(co);
    expect_nothing_left();
}

static void specs(const void *arg)
{
    moat_co_options options = copied();
    moat_co *cos[20], *more[100];
    moat_spec *spec;
    size_t done = 0;

    (void)arg;
    options.name = "copied";
    REQUIRE(moat_spec_create(&spec, &options) == MOAT_OK);
    EXPECT_EQ(moat_spec_prepare(spec, 10), MOAT_OK);
    for (int turn = 0; turn < 3; turn++) {
        for (uintptr_t i = 0; i < 20; i++) {
            REQUIRE(moat_co_create_from(&cos[i], spec, echo, &cos[i]) ==
                    MOAT_OK);
            EXPECT(resume(cos[i], (void *)i).value == (void *)i);
        }
        for (size_t i = 0; i < 20; i++) {
            EXPECT(resume(cos[i], cos[i]).value == cos[i]);
            EXPECT(moat_co_user(cos[i]) == &cos[i]);
            EXPECT_STR(moat_co_name(cos[i]), "copied");
            moat_co_destroy(cos[i]);
        }
    }
    moat_spec_destroy(spec);
    REQUIRE(moat_co_create_n(more, echo, &options, NULL, 100, &done) ==
            MOAT_OK);
    for (size_t i = 0; i < 100; i++)
        EXPECT(resume(more[i], more[i]).value == more[i]);
    for (size_t i = 0; i < 100; i++)
        moat_co_destroy(more[i]);
    expect_nothing_left();
}

/* ---- Nesting and transfer ---- */

static void *resume_other(moat_co *self, void *input)
{
    moat_event event;
    moat_status status = moat_co_resume(input, self, &event);

    return (void *)(intptr_t)status;
}

static void *resume_own_that_resumes(moat_co *self, void *input)
{
    return resume_other(self, input);
}

/* While one runs, or waits for one that it has resumed, no other does. */
static void nesting(const void *arg)
{
    moat_co *outer = create(resume_own_that_resumes), *other = create(echo);
    moat_co *own;

    (void)arg;
    (void)resume(other, other);
    EXPECT_EQ((intptr_t)resume(outer, other).value, MOAT_E_STATE);
    EXPECT(strstr(moat_error_detail(), "MOAT_STACK_COPIED") != NULL);
    EXPECT(resume(other, other).value == other); /* unharmed */
    moat_co_destroy(outer);
    REQUIRE(moat_co_create(&own, echo, NULL) == MOAT_OK);
    outer = create(resume_own_that_resumes);
    EXPECT_EQ((intptr_t)resume(outer, own).value, MOAT_OK);
    moat_co_destroy(outer);
    moat_co_destroy(own);
    REQUIRE(moat_co_create(&own, resume_other, NULL) == MOAT_OK);
    EXPECT_EQ((intptr_t)resume(own, other).value, MOAT_OK);
    moat_co_destroy(own);
    moat_co_destroy(other);
    expect_nothing_left();
}

static void *destroy_other(moat_co *self, void *input)
{
    (void)self;
    moat_co_destroy(input);
    return input;
}

/* It would have to be unwound where the caller stands. */
static void destroy_while_one_runs(const void *arg)
{
    moat_co *co = create(destroy_other), *other = create(echo);
    moat_event event;

    (void)arg;
    (void)resume(other, other);
    event = resume(co, other);
#ifdef RELEASE
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
#else
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP); /* an abort */
#endif
    EXPECT(resume(other, other).value == other);
    moat_co_destroy(co);
    moat_co_destroy(other);
    expect_nothing_left();
}

static moat_co *first, *second;

/* Sends a number to and fro; both count. */
static void *pass(moat_co *self, void *input)
{
    moat_co *other = self == first ? second : first;
    volatile uintptr_t turns = 0;

    while ((uintptr_t)input < 100) {
        REQUIRE(moat_co_switch_to(self, other, (char *)input + 1, &input) ==
                MOAT_OK);
        turns++;
    }
    return (void *)turns;
}

static void transfer(const void *arg)
{
    moat_event event;

    (void)arg;
    first = create(pass);
    second = create(pass);
    event = resume(first, (void *)0);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.co == first && (uintptr_t)event.value == 50);
    EXPECT_EQ(moat_co_get_state(second), MOAT_CO_SUSPENDED);
    EXPECT((uintptr_t)resume(second, (void *)100).value == 50);
    moat_co_destroy(first);
    moat_co_destroy(second);
    expect_nothing_left();
}

static void *pass_to_trap(moat_co *self, void *input)
{
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, NULL, &back), MOAT_OK);
    return back;
}

static void transfer_and_trap(const void *arg)
{
    moat_co *trapper = create(write_null), *own;
    moat_event event;

    (void)arg;
    first = create(pass_to_trap);
    event = resume(first, trapper);
    EXPECT(event.kind == MOAT_EVENT_TRAP && event.co == trapper);
    EXPECT(resume(first, first).value == first);
    EXPECT_EQ(moat_co_get_state(trapper), MOAT_CO_TRAPPED);
    moat_co_destroy(trapper);
    moat_co_destroy(first);
    REQUIRE(moat_co_create(&own, pass_to_trap, NULL) == MOAT_OK);
    trapper = create(write_null);
    event = resume(own, trapper);
    EXPECT(event.kind == MOAT_EVENT_TRAP && event.co == trapper);
    moat_co_destroy(trapper);
    moat_co_destroy(own);
    expect_nothing_left();
}

/* ---- Ends ---- */

static int cleaned;

static void clean(int *value)
{
    cleaned += *value;
}

static void count(void *arg)
{
    cleaned += *(int *)arg;
}

static int hundred = 100;

static void *wait_with_cleanup(moat_co *self, void *input)
{
    __attribute__((cleanup(clean), unused)) int value = 1;

    EXPECT_EQ(moat_co_defer(self, count, &hundred), MOAT_OK);
    return moat_co_yield(self, input);
}

static void cancel(const void *arg)
{
    moat_co *cos[3];
    moat_event event;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        cos[i] = create(wait_with_cleanup);
        (void)resume(cos[i], NULL);
    }
    EXPECT_EQ(moat_co_cancel(cos[0], &event), MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_RETURN && cleaned == 101);
    moat_co_destroy(cos[1]); /* is unwound */
    EXPECT_EQ(cleaned, 202);
    EXPECT_EQ(moat_co_reset(cos[2]), MOAT_OK); /* is not */
    EXPECT_EQ(cleaned, 302);
    moat_co_destroy(cos[0]);
    moat_co_destroy(cos[2]);
    expect_nothing_left();
}

static void overflows(const void *arg)
{
    moat_co *other = create(echo), *co = create(overflow);
    moat_trap_info trap;

    (void)arg;
    (void)resume(other, other);
    trap = expect_trap(co, NULL, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(trap.region, MOAT_REGION_OWN_GUARD);
    EXPECT(resume(other, other).value == other); /* and it makes room */
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    EXPECT(info().copied_bytes > 200 * KIB); /* with its evidence */
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    (void)expect_trap(co, NULL, MOAT_TRAP_STACK_OVERFLOW);
    moat_co_destroy(co);
    moat_co_destroy(other);
    expect_nothing_left();
}

/* ---- What is asked about one that is away ---- */

static size_t frames_of(const moat_co *co)
{
    moat_frame frames[100];
    size_t count_of = 0;
    moat_status status = moat_co_backtrace(co, frames, 100, &count_of);

    if (status == MOAT_E_UNSUPPORTED)
        child_leave_out("moat was built without an unwinder");
    EXPECT_EQ(status, MOAT_OK);
    return count_of;
}

static void *dig_deep(moat_co *self, void *input)
{
    (void)dig(self, (unsigned)(uintptr_t)input, 1);
    return input;
}

static void backtraces(const void *arg)
{
    moat_co *deep = create(dig_deep), *flat = create(dig_deep);
    size_t difference;

    (void)arg;
    (void)resume(deep, (void *)30);
    (void)resume(flat, (void *)10);
    difference = frames_of(deep) - frames_of(flat);
    EXPECT_EQ(difference, 20);
    EXPECT((uintptr_t)resume(deep, NULL).value == 30);
    EXPECT((uintptr_t)resume(flat, NULL).value == 10);
    moat_co_destroy(deep);
    moat_co_destroy(flat);
}

__attribute__((noinline)) static void *fall(moat_co *self, void *input)
{
    volatile char frame[2000];

    frame[0] = 0;
    return (char *)write_null(self, input) + frame[0];
}

static char *report_of(const moat_co *co)
{
    static char text[1 << 16];
    FILE *file = tmpfile();

    REQUIRE(file != NULL);
    EXPECT_EQ(moat_co_print_report(co, fileno(file)), MOAT_OK);
    memset(text, 0, sizeof text);
    (void)!pread(fileno(file), text, sizeof text - 1, 0);
    (void)fclose(file);
    return text;
}

/* The evidence is what it was, however many have been on the stack since. */
static void reports(const void *arg)
{
    moat_co *co = create(fall), *other = create(dig_often);
    char *before, *after;

    (void)arg;
    (void)expect_trap(co, NULL, MOAT_TRAP_NULL);
    before = strdup(report_of(co));
    REQUIRE(before != NULL);
    (void)resume(other, (void *)3);
    (void)resume(other, NULL);
    after = report_of(co);
    EXPECT_STR(after, before);
    free(before);
    EXPECT_EQ(resume(other, NULL).kind, MOAT_EVENT_YIELD);
    moat_co_destroy(co);
    moat_co_destroy(other);
    expect_nothing_left();
}

static bool seen;

/* Between a frame's variables, too. */
__attribute__((no_sanitize("address"))) static void look(void *begin, void *end,
                                                         void *arg)
{
    for (void **word = begin; word < (void **)end; word++)
        seen |= *word == arg;
}

__attribute__((noinline)) static void *keep_one(moat_co *self, void *input)
{
    void *volatile kept = input;

    (void)moat_co_yield(self, NULL);
    return kept;
}

static void roots(const void *arg)
{
    void *secret = (void *)UINT64_C(0x5ec2e75ec2e7);
    moat_co *co = create(keep_one), *other = create(echo);

    (void)arg;
    (void)resume(co, secret);
    (void)resume(other, NULL);
    EXPECT_EQ(moat_visit_roots(look, secret), MOAT_OK);
    EXPECT(seen);
    seen = false;
    EXPECT_EQ(moat_co_visit_roots(co, look, secret), MOAT_OK);
    EXPECT(seen);
    EXPECT(resume(co, NULL).value == secret);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- Limits and heaps ---- */

static void limits(const void *arg)
{
    moat_co_options options = copied();
    moat_limits some = MOAT_LIMITS_INIT;
    moat_co *co, *other = create(echo);

    (void)arg;
    options.limits = &some;
    some.wall_ns = 20000000;
    co = create_with(spin, &options);
    (void)resume(co, NULL);
    (void)resume(other, NULL);
    (void)expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    (void)resume(other, NULL);
    moat_co_destroy(co);
    some.total_cpu_ns = 20000000;
    co = create_with(spin, &options);
    (void)resume(co, NULL);
    (void)resume(other, NULL);
    (void)expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
    moat_co_destroy(other);
    expect_nothing_left();
}

static void refuse(const moat_co_options *options, moat_status expected,
                   const char *words)
{
    moat_co *co = NULL;

    EXPECT_EQ(moat_co_create(&co, echo, options), expected);
    EXPECT(co == NULL && strstr(moat_error_detail(), words) != NULL);
}

static void refusals(const void *arg)
{
    moat_co_options options = copied();
    moat_limits some = MOAT_LIMITS_INIT;

    (void)arg;
    options.stack_memory = &some;
    refuse(&options, MOAT_E_INVAL, "it must be NULL unless");
    options = copied();
    options.flags = MOAT_CO_SCRUB_ZERO;
    refuse(&options, MOAT_E_INVAL, "MOAT_CO_SCRUB_ policy");
    options = copied();
    options.limits = &some;
    some.slice_ns = 1000000;
    refuse(&options, MOAT_E_UNSUPPORTED, "slice_ns is 1000000");
}

/* ---- Clones ---- */

#if UNDER_ASAN || UNDER_TSAN
#    define NO_CLONES "a sanitizer knows the frames of each coroutine"
#else
#    define NO_CLONES NULL
#endif

static moat_co *clone_of(const moat_co *co)
{
    moat_co *clone = NULL;

    REQUIRE(moat_co_clone(co, &clone) == MOAT_OK);
    return clone;
}

/* Adds up its inputs, from some frames down. */
__attribute__((noinline)) static uintptr_t sum_up(moat_co *self, unsigned depth,
                                                  uintptr_t sum)
{
    volatile unsigned kept = depth;
    uintptr_t result;

    if (depth == 0) {
        for (int i = 0; i < 3; i++) {
            EXPECT(moat_co_current() == self);
            sum += (uintptr_t)moat_co_yield(self, (void *)sum);
        }
        return sum;
    }
    result = sum_up(self, depth - 1, sum);
    EXPECT_EQ(kept, depth);
    return result;
}

static void *sum_of_inputs(moat_co *self, void *input)
{
    return (void *)sum_up(self, 10, (uintptr_t)input);
}

static uintptr_t resume_with(moat_co *co, uintptr_t input, moat_event_kind kind)
{
    moat_event event = resume(co, (void *)input);

    EXPECT_EQ(event.kind, kind);
    EXPECT(event.co == co);
    return (uintptr_t)event.value;
}

/* Three continuations of one, and one of a continuation. */
static void clones(const void *arg)
{
    moat_co *co = create(sum_of_inputs), *clone, *second_clone, *fresh;

    (void)arg;
    fresh = clone_of(co);
    EXPECT_EQ(moat_co_get_state(fresh), MOAT_CO_FRESH);
    EXPECT_EQ(resume_with(co, 1, MOAT_EVENT_YIELD), 1);
    clone = clone_of(co);
    EXPECT_EQ(moat_co_get_state(clone), MOAT_CO_SUSPENDED);
    EXPECT_EQ(resume_with(co, 10, MOAT_EVENT_YIELD), 11);
    EXPECT_EQ(resume_with(clone, 20, MOAT_EVENT_YIELD), 21);
    second_clone = clone_of(clone);
    EXPECT_EQ(resume_with(second_clone, 300, MOAT_EVENT_YIELD), 321);
    EXPECT_EQ(resume_with(fresh, 5, MOAT_EVENT_YIELD), 5);
    EXPECT_EQ(resume_with(co, 100, MOAT_EVENT_YIELD), 111);
    EXPECT_EQ(resume_with(clone, 200, MOAT_EVENT_YIELD), 221);
    moat_co_destroy(co); /* the others go on */
    EXPECT_EQ(resume_with(clone, 1000, MOAT_EVENT_RETURN), 1221);
    EXPECT_EQ(resume_with(second_clone, 1000, MOAT_EVENT_RETURN), 1321);
    moat_co_destroy(clone);
    moat_co_destroy(second_clone);
    moat_co_destroy(fresh);
    expect_nothing_left();
}

static void *trap_after_yield(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return write_null(self, input);
}

static void clones_trap_alone(const void *arg)
{
    moat_co *co = create(trap_after_yield), *clone;
    moat_frame frames[20];
    size_t count_of = 0;

    (void)arg;
    (void)resume(co, NULL);
    clone = clone_of(co);
    (void)expect_trap(clone, NULL, MOAT_TRAP_NULL);
    if (moat_co_backtrace(clone, frames, 20, &count_of) == MOAT_OK)
        EXPECT(count_of >= 2 && frames[count_of - 1].co == clone);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_reset(clone), MOAT_OK);
    EXPECT_EQ(resume(clone, NULL).kind, MOAT_EVENT_YIELD);
    (void)expect_trap(co, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(co);
    moat_co_destroy(clone);
    expect_nothing_left();
}

/* Cleanup belongs to the frames, of which there are two; the deferred function
 * is the original's. */
static void clones_clean_up(const void *arg)
{
    moat_co *co = create(wait_with_cleanup), *clone;
    moat_event event;

    (void)arg;
    (void)resume(co, NULL);
    clone = clone_of(co);
    EXPECT_EQ(moat_co_cancel(clone, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(cleaned, 1);
    moat_co_destroy(clone);
    moat_co_destroy(co);
    EXPECT_EQ(cleaned, 102);
    expect_nothing_left();
}

/* A clone has used what the original has. */
static void clones_share_limits(const void *arg)
{
    moat_co_options options = copied();
    moat_limits some = MOAT_LIMITS_INIT;
    moat_usage used = MOAT_USAGE_INIT, used_too = MOAT_USAGE_INIT;
    moat_co *co, *clone;

    (void)arg;
    options.limits = &some;
    options.name = "limited";
    some.total_wall_ns = 10000000000;
    co = create_with(echo, &options);
    (void)resume(co, NULL);
    clone = clone_of(co);
    EXPECT_STR(moat_co_name(clone), "limited");
    EXPECT_EQ(moat_co_usage(co, &used), MOAT_OK);
    EXPECT_EQ(moat_co_usage(clone, &used_too), MOAT_OK);
    EXPECT(used.wall_ns != 0 && used.wall_ns == used_too.wall_ns);
    EXPECT(resume(clone, clone).value == clone);
    moat_co_destroy(co);
    moat_co_destroy(clone);
}

static void *clone_other(moat_co *self, void *input)
{
    moat_co *clone = clone_of(input);

    EXPECT(moat_co_current() == self);
    return clone;
}

static void guests_clone(const void *arg)
{
    moat_co *co = create(sum_of_inputs), *cloner = create(clone_other), *clone;

    (void)arg;
    EXPECT_EQ(resume_with(co, 1, MOAT_EVENT_YIELD), 1);
    clone = resume(cloner, co).value;
    EXPECT_EQ(resume_with(clone, 10, MOAT_EVENT_YIELD), 11);
    EXPECT_EQ(resume_with(co, 20, MOAT_EVENT_YIELD), 21);
    moat_co_destroy(cloner);
    moat_co_destroy(clone);
    moat_co_destroy(co);
    expect_nothing_left();
}

static void *wait_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    input = moat_co_yield(self, input);
    moat_notrap_leave();
    return input;
}

static void refuse_clone(const moat_co *co, moat_status expected,
                         const char *words)
{
    moat_co *clone = NULL;

    expect_context("%s", words);
    EXPECT_EQ(moat_co_clone(co, &clone), expected);
    EXPECT(clone == NULL && strstr(moat_error_detail(), words) != NULL);
}

static void refused_clones(const void *arg)
{
    moat_co_options options = copied();
    moat_limits some = MOAT_LIMITS_INIT;
    moat_co *own, *co = create(wait_in_section), *with_heap;

    (void)arg;
    REQUIRE(moat_co_create(&own, echo, NULL) == MOAT_OK);
    options.limits = &some;
    some.memory_bytes = 1 << 20;
    with_heap = create_with(echo, &options);
    refuse_clone(NULL, MOAT_E_INVAL, "co is NULL");
    refuse_clone(own, MOAT_E_INVAL, "another kind of stack");
    EXPECT_EQ(moat_co_clone(co, NULL), MOAT_E_INVAL);
    refuse_clone(with_heap, MOAT_E_UNSUPPORTED,
                 NO_CLONES == NULL ? "a heap of its own" : "a sanitizer");
    (void)resume(co, co);
    if (NO_CLONES == NULL)
        refuse_clone(co, MOAT_E_STATE, "no-trap section");
    EXPECT(resume(co, co).value == co);
    moat_co_destroy(own);
    moat_co_destroy(co);
    moat_co_destroy(with_heap);
    expect_nothing_left();
}

/* ---- Threads ---- */

static void *run_thread(void *arg)
{
    moat_co **kept = arg;

    take_all_turns();
    for (int i = 0; i < 3; i++) {
        kept[i] = create(echo);
        (void)resume(kept[i], kept[i]);
    }
    return NULL;
}

static void threads(const void *arg)
{
    moat_co *kept[3][3];
    pthread_t all[3];

    (void)arg;
    for (size_t i = 0; i < 3; i++)
        REQUIRE(pthread_create(&all[i], NULL, run_thread, kept[i]) == 0);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(pthread_join(all[i], NULL) == 0);
        for (size_t j = 0; j < 3; j++) {
            REQUIRE(moat_co_adopt(kept[i][j]) == MOAT_E_UNSUPPORTED);
            moat_co_destroy(kept[i][j]); /* their thread has ended */
        }
    }
    expect_nothing_left();
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Memory ---- */

static void *wait_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

/* Record and frames, all that is touched, and the bytes are given back. */
static void idle_ones_cost_their_frames(const void *arg)
{
    static moat_co *cos[MANY];
    moat_stack_info stack;
    size_t each;

    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        cos[i] = create(wait_once);
        (void)resume(cos[i], NULL);
    }
    EXPECT_EQ(moat_co_stack_info(cos[0], &stack), MOAT_OK);
    EXPECT(info().copied_away >= MANY - 1);
    each = info().copied_bytes / info().copied_away;
    EXPECT(each <= stack.used && each + 200 > stack.used);
    EXPECT(info().copied_mapped_bytes <= info().copied_bytes + 512 * KIB);
    for (size_t i = 0; i < MANY; i++)
        EXPECT(resume(cos[i], cos[i]).value == cos[i]);
    EXPECT_EQ(info().copied_bytes, 0);
    for (size_t i = 0; i < MANY; i++)
        moat_co_destroy(cos[i]);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    EXPECT_EQ(info().copied_mapped_bytes, 0);
}

__attribute__((noinline)) static void *keep_much(moat_co *self, void *input)
{
    volatile char frame[600];

    frame[0] = frame[599] = 1;
    input = keep_one(self, input);
    return (char *)input + frame[0] - frame[599];
}

/* Of many images every eighth stays; they move together, and still are what
 * they were. */
static void compaction(const void *arg)
{
    static moat_co *cos[4 * MANY];
    size_t before, bytes;

    (void)arg;
    for (uintptr_t i = 0; i < 4 * MANY; i++) {
        cos[i] = create(keep_much);
        (void)resume(cos[i], (void *)i);
    }
    for (size_t i = 0; i < 4 * MANY; i++) {
        if (i % 8 != 0)
            moat_co_destroy(cos[i]);
    }
    before = info().copied_mapped_bytes;
    bytes = info().copied_bytes;
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    EXPECT(info().copied_mapped_bytes < before);
    EXPECT(info().copied_mapped_bytes <= bytes + 512 * KIB);
    EXPECT_EQ(info().copied_bytes, bytes);
    for (uintptr_t i = 0; i < 4 * MANY; i += 8) {
        EXPECT((uintptr_t)resume(cos[i], NULL).value == i);
        moat_co_destroy(cos[i]);
    }
    expect_nothing_left();
}

/* ---- Stray pointers ---- */

static void *show_local(moat_co *self, void *input)
{
    volatile int local = 1;

    (void)input;
    (void)moat_co_yield(self, (void *)(uintptr_t)__builtin_frame_address(0));
    return (void *)(intptr_t)local;
}

/* A guest of another kind is caught itself. */
static void *write_there(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movb $1, (%0)" : : "r"(input) : "memory");
    return NULL;
}

static void stray_pointers_of_guests(const void *arg)
{
    moat_co *co = create(show_local), *own;
    void *local = resume(co, NULL).value;

    (void)arg;
#ifdef RELEASE
    if (!UNDER_ASAN && !UNDER_TSAN)
        child_leave_out("the library was built without assertions");
#endif
    REQUIRE(moat_co_create(&own, write_there, NULL) == MOAT_OK);
    EXPECT_EQ(resume(own, local).kind, MOAT_EVENT_TRAP);
    moat_co_destroy(own);
    EXPECT_EQ((intptr_t)resume(co, NULL).value, 1); /* unharmed */
    moat_co_destroy(co);
}

#define CASE_UNLESS(function, reason)           \
    {                                           \
#        function, function, NULL, reason, 0, 0 \
    }

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CHILD_CASE(take_turns),
        CHILD_CASE(alone),
        CHILD_CASE(specs),
        CHILD_CASE(nesting),
        CHILD_CASE(destroy_while_one_runs),
        CHILD_CASE(transfer),
        CHILD_CASE(transfer_and_trap),
        CHILD_CASE(cancel),
        CHILD_CASE(overflows),
        CHILD_CASE(backtraces),
        CHILD_CASE(reports),
        CHILD_CASE(roots),
        CHILD_CASE(limits),
        CHILD_CASE(refusals),
        CASE_UNLESS(clones, NO_CLONES),
        CASE_UNLESS(clones_trap_alone, NO_CLONES),
        CASE_UNLESS(clones_clean_up, NO_CLONES),
        CASE_UNLESS(clones_share_limits, NO_CLONES),
        CASE_UNLESS(guests_clone, NO_CLONES),
        CHILD_CASE(refused_clones),
        CHILD_CASE(threads),
        CHILD_CASE(idle_ones_cost_their_frames),
        CHILD_CASE(compaction),
        CHILD_CASE(stray_pointers_of_guests),
    };

    return child_cases_run("copied", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
