/*
 * test_lent.c: coroutines in memory of the caller's (MOAT_STACK_CALLER): they
 * do what others do, nothing is allocated for them, and the memory is the
 * caller's again afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define KIB   ((size_t)1024)
#define PAGE  ((size_t)4096)
#define GUARD (64 * KIB)

#if UNDER_ASAN || UNDER_TSAN
#    define ANNOTATED "the sanitizer allocates for each stack"
#else
#    define ANNOTATED NULL
#endif

static _Alignas(4096) char area[256 * KIB];

static moat_co_options lend(void *memory, size_t bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_kind = MOAT_STACK_CALLER;
    options.stack_memory = memory;
    options.stack_bytes = bytes;
    return options;
}

static moat_co *create(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_co *create_in(void *memory, size_t bytes, moat_entry entry)
{
    moat_co_options options = lend(memory, bytes);

    return create(entry, &options);
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {MOAT_EVENT_PANIC, NULL, NULL};

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event;
}

static moat_trap_info expect_trap(moat_co *co, moat_trap_kind kind)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_trap_info(co, &trap) == MOAT_OK);
    EXPECT_EQ(trap.kind, kind);
    return trap;
}

static bool lies_in(const void *pointer, const void *memory, size_t bytes)
{
    return (uintptr_t)pointer - (uintptr_t)memory < bytes;
}

/* ---- Guests ---- */

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *give_back(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *say_where(moat_co *self, void *input)
{
    volatile char here = 0;

    (void)input;
    return moat_co_yield(self, (void *)(uintptr_t)&here);
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
    if (depth == 0)
        return frame[0];
    return descend(depth - 1) + frame[0];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)(intptr_t)descend(1 << 20);
}

static void *spin(moat_co *self, void *input)
{
    for (;;)
        __asm__ volatile("" : : "r"(self), "r"(input) : "memory");
    return NULL;
}

static void *write_to(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movb $1, (%0)" : : "r"(input) : "memory");
    return NULL;
}

/* ---- Sizes ---- */

static void sizes(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t plain = moat_co_size(8 * KIB, NULL);

    (void)arg;
    EXPECT(plain > 8 * KIB && plain - 8 * KIB <= MOAT_CO_RECORD_BYTES);
    EXPECT_EQ(moat_co_size(0, NULL), moat_co_size(4096, NULL));
    EXPECT_EQ(moat_co_size(8 * KIB, &options), plain);
    options.guard_bytes = 1;
    EXPECT_EQ(moat_co_size(8 * KIB, &options), plain + PAGE);
    options.name = "seven..";
    EXPECT_EQ(moat_co_size(8 * KIB, &options), plain + PAGE + 8);
    EXPECT_EQ(moat_co_size(SIZE_MAX, NULL), 0);
    options.guard_bytes = SIZE_MAX;
    EXPECT_EQ(moat_co_size(0, &options), 0);
}

/* At each alignment the usable part has what was asked for. */
static void smallest(const void *arg)
{
    size_t bytes = moat_co_size(0, NULL);

    (void)arg;
    for (size_t shift = 0; shift < 130; shift++) {
        moat_co_options options = lend(area + shift, bytes);
        moat_stack_info stack;
        moat_co *co;

        expect_context("%zu bytes from a page's begin", shift);
        co = create(give_back, &options);
        EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
        EXPECT(stack.base - stack.limit >= 4096 && stack.base % 16 == 0);
        EXPECT(stack.guard == stack.limit && stack.limit % 16 == 0);
        EXPECT(stack.limit >= (uintptr_t)options.stack_memory);
        EXPECT(stack.base <= (uintptr_t)co);
        EXPECT(lies_in((char *)co + 192, area + shift, bytes));
        EXPECT(resume(co, area).value == area);
        moat_co_destroy(co);
        options.stack_bytes = bytes - 1;
        EXPECT_EQ(moat_co_create(&co, echo, &options), MOAT_E_INVAL);
    }
}

/* ---- What others do, too ---- */

static void lives(const void *arg)
{
    char name[] = "lent";
    moat_co_options options = lend(area + 3, 32 * KIB);
    moat_event event;
    moat_co *co;
    int user, input;

    (void)arg;
    options.name = name;
    options.user = &user;
    for (int i = 0; i < 3; i++) {
        memcpy(name, "lent", sizeof name);
        co = create(say_where, &options);
        memset(name, 'x', sizeof name - 1); /* it was copied */
        EXPECT(lies_in(co, area + 3, 32 * KIB));
        EXPECT_STR(moat_co_name(co), "lent");
        EXPECT(lies_in(moat_co_name(co), area + 3, 32 * KIB));
        EXPECT(moat_co_user(co) == &user && moat_co_entry(co) == say_where);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
        event = resume(co, NULL);
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
        EXPECT(UNDER_ASAN || lies_in(event.value, area + 3, 32 * KIB));
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
        event = resume(co, &input);
        EXPECT(event.kind == MOAT_EVENT_RETURN && event.value == &input);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD);
        moat_co_destroy(co);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_INVALID);
        memset(area, 0xa5, sizeof area); /* it is not looked at any more */
    }
}

static void *run_inner(moat_co *self, void *input)
{
    moat_event event;

    EXPECT(moat_co_current() == self);
    EXPECT_EQ(moat_co_resume(input, self, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    return event.co;
}

/* One inside the other, in both orders, and the inner one traps. */
static void nest(const void *arg)
{
    moat_co *lent = create_in(area, 64 * KIB, run_inner), *own = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&own, write_null, NULL) == MOAT_OK);
    EXPECT(resume(lent, own).value == own);
    moat_co_destroy(lent);
    moat_co_destroy(own);
    lent = create_in(area, 64 * KIB, write_null);
    REQUIRE(moat_co_create(&own, run_inner, NULL) == MOAT_OK);
    EXPECT(resume(own, lent).value == lent);
    moat_co_destroy(lent);
    moat_co_destroy(own);
}

static void *hand_over(moat_co *self, void *input)
{
    void *back = NULL;

    EXPECT_EQ(moat_co_switch_to(self, input, self, &back), MOAT_OK);
    return back;
}

static void *hand_back(moat_co *self, void *input)
{
    void *back;

    EXPECT_EQ(moat_co_switch_to(self, input, self, &back), MOAT_OK);
    return NULL;
}

static void transfer(const void *arg)
{
    moat_co *first = create_in(area, 64 * KIB, hand_over);
    moat_co *second = create_in(area + 64 * KIB, 64 * KIB, hand_back);
    moat_event event = resume(first, second);

    (void)arg;
    EXPECT(event.kind == MOAT_EVENT_RETURN && event.co == first);
    EXPECT(event.value == second);
    moat_co_destroy(first);
    moat_co_destroy(second);
}

static int cleaned;

static void count(void *arg)
{
    (void)arg;
    cleaned++;
}

static void *wait_with_cleanup(moat_co *self, void *input)
{
    EXPECT_EQ(moat_co_defer(self, count, NULL), MOAT_OK);
    return moat_co_yield(self, input);
}

static void cancel(const void *arg)
{
    moat_co *co = create_in(area, 64 * KIB, wait_with_cleanup);
    moat_event event;

    (void)arg;
    (void)resume(co, NULL);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(cleaned, 1);
    moat_co_destroy(co);
    co = create_in(area, 64 * KIB, wait_with_cleanup);
    (void)resume(co, NULL);
    moat_co_destroy(co);
    EXPECT_EQ(cleaned, 2);
}

static void limits(const void *arg)
{
    moat_co_options options = lend(area, 64 * KIB);
    moat_limits some = MOAT_LIMITS_INIT;
    moat_co *co;

    (void)arg;
    options.limits = &some;
    some.wall_ns = 20000000;
    co = create(spin, &options);
    (void)expect_trap(co, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
    some.wall_ns = 0;
    some.slice_ns = 1000000;
    co = create(spin, &options);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    moat_co_destroy(co);
}

static void *take_heap_memory(moat_co *self, void *input)
{
    (void)input;
    return moat_heap_alloc(moat_co_heap(self), 100);
}

static void heaps(const void *arg)
{
    moat_co_options options = lend(area, 64 * KIB);
    moat_co *co;

    (void)arg;
    REQUIRE(moat_heap_create(&options.heap, 1 << 20) == MOAT_OK);
    co = create(take_heap_memory, &options);
    EXPECT(resume(co, NULL).value != NULL);
    EXPECT_EQ(moat_heap_used(options.heap) >= 100, true);
    moat_co_destroy(co);
    moat_heap_destroy(options.heap);
}

/* ---- Traps and guards ---- */

static char *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(memory != MAP_FAILED);
    return memory;
}

static void guarded(const void *arg)
{
    char *memory = map(256 * KIB);
    moat_co_options options = lend(memory, 256 * KIB);
    moat_trap_info trap;
    moat_co *co;

    (void)arg;
    options.guard_bytes = GUARD - 1; /* becomes whole pages */
    for (int i = 0; i < 2; i++) {
        memset(memory, i, 256 * KIB);
        co = create(overflow, &options);
        trap = expect_trap(co, MOAT_TRAP_STACK_OVERFLOW);
        EXPECT_EQ(trap.region, MOAT_REGION_OWN_GUARD);
        EXPECT(lies_in((void *)trap.address, memory, GUARD));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        (void)expect_trap(co, MOAT_TRAP_STACK_OVERFLOW);
        moat_co_destroy(co); /* the guard is gone with it */
    }
    EXPECT_EQ(munmap(memory, 256 * KIB), 0);
}

static void unguarded(const void *arg)
{
    moat_co *co = create_in(area, 64 * KIB, write_null);
    moat_trap_info trap = expect_trap(co, MOAT_TRAP_NULL);
    moat_frame frames[20];
    size_t count_of = 0;
    char *text = NULL;
    FILE *file;

    (void)arg;
    EXPECT(lies_in((void *)trap.sp, area, 64 * KIB));
    EXPECT(trap.stack_used > 0 && trap.stack_used < 4096);
    if (moat_co_backtrace(co, frames, 20, &count_of) == MOAT_OK) {
        EXPECT(count_of >= 2 && frames[0].co == co && frames[1].co == co);
        EXPECT(frames[0].pc == trap.pc && frames[0].flags == MOAT_FRAME_TRAP);
        EXPECT_EQ(frames[count_of - 1].flags, MOAT_FRAME_ROOT);
    }
    file = tmpfile();
    REQUIRE(file != NULL);
    EXPECT_EQ(moat_co_print_report(co, fileno(file)), MOAT_OK);
    text = calloc(1, 1 << 16);
    REQUIRE(text != NULL);
    (void)pread(fileno(file), text, (1 << 16) - 1, 0);
    EXPECT(strstr(text, "null") != NULL);
    free(text);
    (void)fclose(file);
    moat_co_destroy(co);
}

/* Other guests' memory is recognised. */
static void neighbours(const void *arg)
{
    char *memory = map(256 * KIB);
    moat_co_options options = lend(memory, 256 * KIB);
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_stack_info stack;
    moat_co *co, *other;

    (void)arg;
    options.guard_bytes = GUARD;
    other = create(echo, &options);
    (void)resume(other, NULL);
    co = create_in(area, 64 * KIB, write_to);
    EXPECT_EQ(resume(co, memory + 5).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &trap), MOAT_OK);
    EXPECT_EQ(trap.region, MOAT_REGION_OTHER_GUARD);
    EXPECT_EQ(trap.kind, MOAT_TRAP_MEMORY);
    EXPECT_EQ(moat_stack_at((uintptr_t)memory + GUARD, &stack), MOAT_OK);
    EXPECT(stack.guard == (uintptr_t)memory &&
           stack.limit - stack.guard == GUARD);
    EXPECT_EQ(moat_stack_at((uintptr_t)area + 64 * KIB, &stack), MOAT_E_STATE);
    moat_co_destroy(other);
    EXPECT_EQ(moat_stack_at((uintptr_t)memory + GUARD, &stack), MOAT_E_STATE);
    moat_co_destroy(co);
}

static void high_water(const void *arg)
{
    char *memory = map(256 * KIB);
    moat_co *co = create_in(memory, 256 * KIB, echo);
    moat_usage usage = MOAT_USAGE_INIT;
    moat_stack_info stack;

    (void)arg;
    (void)resume(co, NULL);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT(stack.used > 0 && stack.used <= stack.high_water);
    EXPECT(stack.high_water <= 16 * KIB); /* of new memory, what was touched */
    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    EXPECT_EQ(usage.stack_peak, stack.high_water);
    memset(memory, 1, 64 * KIB);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT_EQ(stack.high_water, stack.base - stack.limit);
    moat_co_destroy(co);
}

/* ---- Scrubbing ---- */

static void *leave_a_mark(moat_co *self, void *input)
{
    volatile char frame[2048];

    memset((void *)(uintptr_t)frame, 'M', sizeof frame);
    (void)moat_co_yield(self, (void *)(uintptr_t)frame);
    return input;
}

static bool has_mark(const char *memory, size_t bytes)
{
    static const char mark[] = "MMMMMMMMMMMMMMMM";

    return memmem(memory, bytes, mark, sizeof mark - 1) != NULL;
}

static void scrub(const void *arg)
{
    moat_co_options options = lend(area + 1, 64 * KIB);
    moat_co *co;

    (void)arg;
    options.flags = MOAT_CO_SCRUB_ZERO;
    co = create(leave_a_mark, &options);
    (void)resume(co, NULL);
    EXPECT(UNDER_ASAN || has_mark(area, sizeof area));
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT(!has_mark(area, sizeof area));
    (void)resume(co, NULL);
    moat_co_destroy(co);
    EXPECT(!has_mark(area, sizeof area));
    options.flags = MOAT_CO_SCRUB_DISCARD;
    EXPECT_EQ(moat_co_create(&co, echo, &options), MOAT_E_INVAL);
}

/* ---- Refusals ---- */

static void expect_refused(const moat_co_options *options, const char *words)
{
    moat_co *co = NULL;

    expect_context("%s", words);
    EXPECT_EQ(moat_co_create(&co, echo, options), MOAT_E_INVAL);
    EXPECT(co == NULL);
    EXPECT(strstr(moat_error_detail(), words) != NULL);
}

static void refusals(const void *arg)
{
    const moat_co_options plain = lend(area, 64 * KIB);
    moat_co_options options = plain;
    moat_limits some = MOAT_LIMITS_INIT;
    moat_spec *spec = NULL;
    moat_co *co = NULL;
    size_t done;

    (void)arg;
    options.stack_memory = NULL;
    expect_refused(&options, "stack_memory is NULL");
    options = plain;
    options.stack_kind = MOAT_STACK_OWN;
    expect_refused(&options, "it must be NULL unless");
    options.stack_kind = (moat_stack_kind)9;
    expect_refused(&options, "stack_kind is 9");
    options = plain;
    options.stack_bytes = 0;
    expect_refused(&options, "stack_bytes is 0");
    options.stack_bytes = moat_co_size(0, NULL) - 1;
    expect_refused(&options, "must have at least");
    options.stack_bytes = SIZE_MAX;
    expect_refused(&options, "it must be at most");
    options = plain;
    options.stack_memory = (void *)(UINTPTR_MAX - 100);
    expect_refused(&options, "exceeds the address space");
    options = plain;
    options.guard_bytes = PAGE;
    options.stack_memory = area + 16;
    expect_refused(&options, "must be a multiple of the page size");
    options = plain;
    options.guard_bytes = 64 * KIB;
    expect_refused(&options, "must have at least");
    options = plain;
    options.flags = MOAT_CO_SCRUB_DISCARD;
    expect_refused(&options, "MOAT_CO_SCRUB_DISCARD");
    options = plain;
    some.memory_bytes = 1 << 20;
    options.limits = &some;
    expect_refused(&options, "memory_bytes is 1048576");
    EXPECT_EQ(moat_spec_create(&spec, &plain), MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "a spec's coroutines") != NULL);
    EXPECT_EQ(moat_co_create_n(&co, echo, &plain, NULL, 1, &done),
              MOAT_E_INVAL);
    EXPECT(strstr(moat_error_detail(), "several coroutines") != NULL);
    EXPECT(spec == NULL && co == NULL && done == 0);
}

/* ---- Misuse ---- */

static void *lend_own_stack(moat_co *self, void *input)
{
    char memory[32 * KIB];
    moat_co_options options = lend(memory, sizeof memory);

    (void)self;
    (void)input;
    if (!UNDER_ASAN) /* else it lies on a fake stack */
        expect_refused(&options, "moat's own stacks lie there");
    return NULL;
}

static void overlaps(const void *arg)
{
    moat_co *co = create_in(area + 64 * KIB, 64 * KIB, echo), *own;
    moat_co_options options = lend(area + 64 * KIB, 64 * KIB);
    volatile char here = 0;

    (void)arg;
    expect_refused(&options, "a coroutine lies there");
    options.stack_memory = area + 32 * KIB + 1;
    options.stack_bytes = 32 * KIB;
    expect_refused(&options, "a coroutine lies there");
    options.stack_memory = area + 128 * KIB - 1;
    expect_refused(&options, "a coroutine lies there");
    options.stack_memory = (void *)((uintptr_t)&here - 16 * KIB);
    if (!UNDER_ASAN)
        expect_refused(&options, "the caller runs there");
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_YIELD); /* unharmed */
    REQUIRE(moat_co_create(&own, lend_own_stack, NULL) == MOAT_OK);
    EXPECT_EQ(resume(own, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(own);
    own = create_in(area, 64 * KIB, echo); /* neighbours are allowed */
    moat_co_destroy(co);
    co = create_in(area + 64 * KIB, 64 * KIB, give_back);
    EXPECT(resume(co, area).value == area);
    moat_co_destroy(own);
    moat_co_destroy(co);
}

/* Memory that cannot be written is the caller's fault: a guest traps. */
static void *lend_nothing(moat_co *self, void *input)
{
    moat_co_options options = lend(input, 64 * KIB);
    moat_co *co;

    (void)self;
    EXPECT_EQ(moat_co_create(&co, echo, &options), MOAT_OK);
    return input;
}

static void missing_memory(const void *arg)
{
    moat_co *co = create_in(area, 64 * KIB, lend_nothing), *again;
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    char *gone = map(64 * KIB);

    (void)arg;
    /* A first resume may map memory, and would be given this. */
    again = create_in(area + 64 * KIB, 64 * KIB, echo);
    (void)resume(again, NULL);
    moat_co_destroy(again);
    REQUIRE(munmap(gone, 64 * KIB) == 0);
    EXPECT_EQ(resume(co, gone).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &trap), MOAT_OK);
    EXPECT(trap.kind == MOAT_TRAP_MEMORY &&
           lies_in((void *)trap.address, gone, 64 * KIB));
    moat_co_destroy(co);
    again = create_in(area, 64 * KIB, give_back);
    EXPECT(resume(again, area).value == area);
    moat_co_destroy(again);
}

static moat_fault_verdict fix_nothing(void *address, moat_access access,
                                      void *user)
{
    (void)address;
    (void)access;
    (void)user;
    return (moat_fault_verdict)0;
}

static void regions(const void *arg)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_co *co = create_in(area, 64 * KIB, echo);
    moat_fault_region region;

    (void)arg;
    options.begin = area;
    options.bytes = PAGE;
    options.fix = fix_nothing;
    EXPECT_EQ(moat_fault_region_register(&options, &region), MOAT_E_INVAL);
    moat_co_destroy(co);
    EXPECT_EQ(moat_fault_region_register(&options, &region), MOAT_OK);
    EXPECT_EQ(moat_fault_region_unregister(region), MOAT_OK);
}

/* ---- Where the memory may lie ---- */

/* An array of the host's frame: the guest's stack is a part of the host's. */
static void in_a_frame(const void *arg)
{
    char memory[64 * KIB];
    moat_co *co = create_in(memory, sizeof memory, echo);

    (void)arg;
    EXPECT(resume(co, memory).value == memory);
    moat_co_destroy(co);
    co = create_in(memory, sizeof memory, write_null);
    (void)expect_trap(co, MOAT_TRAP_NULL);
    moat_co_destroy(co);
}

static void *make_inner(moat_co *self, void *input)
{
    moat_co *inner = create_in(input, 64 * KIB, write_null);

    (void)self;
    (void)expect_trap(inner, MOAT_TRAP_NULL);
    moat_co_destroy(inner);
    return input;
}

static void by_a_guest(const void *arg)
{
    char *memory = malloc(64 * KIB);
    moat_co *co = create_in(area, 64 * KIB, make_inner);

    (void)arg;
    REQUIRE(memory != NULL);
    EXPECT(resume(co, memory).value == memory);
    moat_co_destroy(co);
    free(memory);
}

/* ---- Threads ---- */

static void *run_thread(void *memory)
{
    moat_co *co = create_in(memory, 32 * KIB, echo);

    for (int i = 0; i < 1000; i++) {
        EXPECT(resume(co, memory).value == memory);
        if (i % 10 == 0) {
            moat_co_destroy(co);
            co = create_in(memory, 32 * KIB, echo);
        }
    }
    return co;
}

static void threads(const void *arg)
{
    pthread_t all[4];
    void *co;

    (void)arg;
    for (size_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&all[i], NULL, run_thread,
                               area + i * 32 * KIB) == 0);
    for (size_t i = 0; i < 4; i++) {
        moat_event event;

        REQUIRE(pthread_join(all[i], &co) == 0);
        EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_E_THREAD);
        EXPECT_EQ(moat_co_adopt(co), MOAT_E_UNSUPPORTED);
        moat_co_destroy(co); /* its thread has ended */
    }
    co = create_in(area, sizeof area, give_back);
    EXPECT(resume(co, area).value == area);
    moat_co_destroy(co);
}

/* ---- What walks over all coroutines ---- */

static bool seen, visited;

/* Between a frame's variables, too. */
__attribute__((no_sanitize("address"))) static void look(void *begin, void *end,
                                                         void *arg)
{
    visited |= lies_in(begin, area, sizeof area);
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
    moat_co *co = create_in(area, 64 * KIB, keep_one);

    (void)arg;
    (void)resume(co, secret);
    EXPECT_EQ(moat_visit_roots(look, secret), MOAT_OK);
    EXPECT(seen && visited);
    moat_co_destroy(co);
    visited = false;
    EXPECT_EQ(moat_visit_roots(look, secret), MOAT_OK);
    EXPECT(!visited);
}

/* The core file has the guest's stack and the records of all. */
static void core(const void *arg)
{
    static char name[] = "another in the core";
    moat_co_options options = lend(area + 64 * KIB, 64 * KIB);
    FILE *file = tmpfile();
    moat_co *co, *other;
    char *bytes;
    long size;

    (void)arg;
    options.name = name;
    other = create(leave_a_mark, &options);
    (void)resume(other, NULL);
    co = create_in(area, 64 * KIB, write_null);
    (void)expect_trap(co, MOAT_TRAP_NULL);
    REQUIRE(file != NULL);
    EXPECT_EQ(moat_co_write_core(co, fileno(file)), MOAT_OK);
    REQUIRE(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    bytes = malloc((size_t)size);
    REQUIRE(bytes != NULL);
    EXPECT_EQ(pread(fileno(file), bytes, (size_t)size, 0), size);
    EXPECT(UNDER_ASAN || has_mark(bytes, (size_t)size));
    /* The words of the resumer lead to the caller in the core. */
    EXPECT(memmem(bytes, (size_t)size, (char *)co + 32, 96) != NULL);
    EXPECT(memmem(bytes, (size_t)size, (char *)other + 32, 96) != NULL);
    free(bytes);
    (void)fclose(file);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

/* ---- Memory ---- */

static void allocates_nothing(const void *arg)
{
    moat_co_options options = lend(area, 64 * KIB);
    struct mallinfo2 before, after;
    moat_co *co;

    (void)arg;
    options.name = "nothing";
    moat_co_destroy(create(echo, &options)); /* the thread is attached */
    before = mallinfo2();
    co = create(echo, &options);
    (void)resume(co, NULL);
    after = mallinfo2();
    EXPECT_EQ(before.uordblks, after.uordblks);
    EXPECT_EQ(before.hblkhd, after.hblkhd);
    moat_co_destroy(co);
}

static void shutdown_waits(const void *arg)
{
    moat_co *co = create_in(area, 64 * KIB, echo);
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 1);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    co = create_in(area, 64 * KIB, echo);
    moat_co_destroy(co);
}

#define CASE(function) CHILD_CASE(function)
#define CASE_UNLESS(function, reason)           \
    {                                           \
#        function, function, NULL, reason, 0, 0 \
    }

int main(int argc, char **argv)
{
    static const struct child_case cases[] = {
        CASE(sizes),
        CASE(smallest),
        CASE(lives),
        CASE(nest),
        CASE(transfer),
        CASE(cancel),
        CASE(limits),
        CASE(heaps),
        CASE(guarded),
        CASE(unguarded),
        CASE(neighbours),
        CASE(high_water),
        CASE(scrub),
        CASE(refusals),
        CASE(overlaps),
        CASE(missing_memory),
        CASE(regions),
        CASE(in_a_frame),
        CASE(by_a_guest),
        CASE(threads),
        CASE(roots),
        CASE(core),
        CASE_UNLESS(allocates_nothing, ANNOTATED),
        CASE(shutdown_waits),
    };

    return child_cases_run("lent", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
