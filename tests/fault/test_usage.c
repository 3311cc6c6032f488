/*
 * test_usage.c: what thousands of guests have used, by moat_co_usage and by the
 * thread's own clocks; and the memory of a heap over time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <moat/moat.h>
#include <moat/usage.h>

#include "../support/fixture.h"
#include "guests.h"

#define US UINT64_C(1000)

static moat_usage usage_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    return usage;
}

/* ---- CPU time ---- */

/* Each resume takes so long: the clock is read twice for each, on both sides.
 */
#define TURN_NS  (200 * US)
#define SLICE_NS (100 * US)

static void spin(uint64_t ns)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
}

/* By its number a guest returns, traps or is ended in a yield. */
static void *live(moat_co *self, void *input)
{
    uintptr_t number = (uintptr_t)input;

    spin(TURN_NS);
    if (number % 3 != 2)
        (void)moat_co_yield(self, NULL);
    spin(number % 2 * TURN_NS);
    if (number % 3 == 0)
        return guest_write_null(self, NULL);
    return NULL;
}

struct sums {
    uint64_t own, measured; /* CPU time: moat_co_usage, the thread's clock */
    uint64_t guests, resumes, yields, traps, preemptions;
};

static void resume_to_the_end(moat_co *co, uintptr_t number, struct sums *sums)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    while (event.kind == MOAT_EVENT_YIELD || event.kind == MOAT_EVENT_PREEMPT) {
        uint64_t start = clock_ns(CLOCK_WITH_GUESTS);

        event = guest_resume(co, (void *)number);
        sums->measured += clock_ns(CLOCK_WITH_GUESTS) - start;
        sums->resumes++;
        sums->yields += event.kind == MOAT_EVENT_YIELD;
        sums->preemptions += event.kind == MOAT_EVENT_PREEMPT;
    }
    sums->traps += event.kind == MOAT_EVENT_TRAP;
}

static void add_life(struct sums *sums, const moat_limits *limits,
                     uintptr_t number)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    uint64_t resumes = sums->resumes, preemptions = sums->preemptions;
    moat_co *co = NULL;
    moat_usage usage;

    options.limits = number % 4 == 0 ? limits : NULL;
    options.flags = MOAT_CO_EXACT_USAGE;
    REQUIRE(moat_co_create(&co, live, &options) == MOAT_OK);
    resume_to_the_end(co, number, sums);
    usage = usage_of(co);
    EXPECT_EQ(usage.counted, MOAT_USAGE_WALL | MOAT_USAGE_CPU);
    EXPECT_EQ(usage.resumes, sums->resumes - resumes);
    EXPECT_EQ(usage.preemptions, sums->preemptions - preemptions);
    sums->own += usage.cpu_ns;
    sums->guests++;
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
}

static void the_threads_clock_has_the_same(const void *arg)
{
    const char *asked = getenv("MOAT_TEST_GUESTS");
    unsigned long guests = asked != NULL ? strtoul(asked, NULL, 10) : 1000;
    moat_limits limits = MOAT_LIMITS_INIT;
    struct sums sums = {0};

    (void)arg;
    limits.slice_ns = SLICE_NS;
    for (uintptr_t i = 0; i < guests; i++)
        add_life(&sums, &limits, i);
    printf("%llu guests, %llu resumes, %llu yields, %llu traps, %llu "
           "preemptions: %llu us, %.2f %% less than the thread's clock\n",
           (unsigned long long)sums.guests, (unsigned long long)sums.resumes,
           (unsigned long long)sums.yields, (unsigned long long)sums.traps,
           (unsigned long long)sums.preemptions,
           (unsigned long long)(sums.own / US),
           100 - 100.0 * (double)sums.own / (double)sums.measured);
    fflush(stdout);
    EXPECT(sums.yields >= guests / 2 && sums.traps >= guests / 4);
    EXPECT(UNDER_TSAN || sums.preemptions >= guests / 8);
    EXPECT(sums.own <= sums.measured);
    EXPECT(sums.own >= sums.measured / 100 * 98);
}

/* ---- Memory over time ---- */

#define MIB ((uint64_t)1 << 20)

static const struct timespec ten_ms = {0, 10000000};

static moat_co *create_with_heap(moat_entry entry, uint64_t flags,
                                 moat_heap *heap)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = heap == NULL ? 64 * MIB : 0;
    options.limits = &limits;
    options.heap = heap;
    options.flags = flags;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

/* Returns how many byte-milliseconds so many bytes are since a time, at most.
 */
static uint64_t held_since(uint64_t bytes, uint64_t start)
{
    return (clock_ns(CLOCK_MONOTONIC) - start + MS) * bytes / MS;
}

static void *hold_for_a_while(moat_co *self, void *input)
{
    void *block = moat_heap_alloc(moat_co_heap(self), 8 * MIB);

    REQUIRE(block != NULL);
    (void)nanosleep(&ten_ms, NULL);
    input = moat_co_yield(self, input);
    moat_heap_free(moat_co_heap(self), block);
    return moat_co_yield(self, input);
}

/* Memory that is freed before the resume ends counts, and so does a wait. */
static void memory_counts_while_it_is_held(const void *arg)
{
    moat_co *co = create_with_heap(hold_for_a_while, MOAT_CO_EXACT_USAGE, NULL);

    (void)arg;
    for (int life = 0; life < 2; life++) {
        uint64_t start = clock_ns(CLOCK_MONOTONIC), first, most;

        EXPECT_EQ(usage_of(co).heap_byte_ms, 0);
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        first = usage_of(co).heap_byte_ms;
        EXPECT(first >= 9 * 8 * MIB);
        (void)nanosleep(&ten_ms, NULL);
        EXPECT(usage_of(co).heap_byte_ms >= first + 9 * 8 * MIB);
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        most = usage_of(co).heap_byte_ms;
        EXPECT(most <= held_since(9 * MIB, start));
        (void)nanosleep(&ten_ms, NULL);
        EXPECT(usage_of(co).heap_byte_ms <=
               most + held_since(MIB, start)); /* what the heap keeps */
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *take_and_return(moat_co *self, void *input)
{
    void *block = moat_heap_alloc(moat_co_heap(self), 8 * MIB);

    REQUIRE(block != NULL);
    (void)nanosleep(&ten_ms, NULL);
    moat_heap_free(moat_co_heap(self), block);
    return input;
}

static void memory_of_one_resume_counts(const void *arg)
{
    moat_co *co = create_with_heap(take_and_return, MOAT_CO_EXACT_USAGE, NULL);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(usage_of(co).heap_bytes, 0);
    EXPECT(usage_of(co).heap_byte_ms >= 9 * 8 * MIB);
    moat_co_destroy(co);
}

static void it_is_counted_only_on_request(const void *arg)
{
    moat_co *co = create_with_heap(take_and_return, 0, NULL);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(usage_of(co).heap_byte_ms, 0);
    EXPECT_EQ(usage_of(co).counted, 0);
    moat_co_destroy(co);
}

/* One heap, lent to one after the other: each has its own part. */
static void a_heap_that_is_lent_counts_for_each(const void *arg)
{
    moat_heap *heap = NULL;
    moat_co *first, *second;
    uint64_t start;

    (void)arg;
    REQUIRE(moat_heap_create(&heap, 64 * MIB) == MOAT_OK);
    first = create_with_heap(take_and_return, MOAT_CO_EXACT_USAGE, heap);
    EXPECT_EQ(guest_resume(first, NULL).kind, MOAT_EVENT_RETURN);
    start = clock_ns(CLOCK_MONOTONIC);
    second = create_with_heap(guest_echo, MOAT_CO_EXACT_USAGE, heap);
    EXPECT_EQ(guest_resume(second, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT(usage_of(first).heap_byte_ms >= 9 * 8 * MIB);
    EXPECT(usage_of(second).heap_byte_ms <= held_since(MIB, start));
    EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
    EXPECT_EQ(usage_of(first).heap_byte_ms, 0);
    moat_co_destroy(first);
    moat_co_destroy(second);
    moat_heap_destroy(heap);
}

static void *have_a_heap_made(moat_co *self, void *input)
{
    moat_heap *heap = NULL;
    void *block;

    EXPECT_EQ(moat_guest_heap(&heap, 64 * MIB), MOAT_OK);
    block = moat_heap_alloc(heap, 8 * MIB);
    REQUIRE(block != NULL);
    (void)nanosleep(&ten_ms, NULL);
    return moat_co_yield(self, input);
}

static void a_heap_that_was_made_late_counts(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    (void)arg;
    options.flags = MOAT_CO_EXACT_USAGE;
    REQUIRE(moat_co_create(&co, have_a_heap_made, &options) == MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT(usage_of(co).heap_byte_ms >= 9 * 8 * MIB);
    moat_co_destroy(co);
}

/* A host that was compiled before the field was added. */
static void an_older_host_is_served(const void *arg)
{
    moat_co *co = create_with_heap(take_and_return, MOAT_CO_EXACT_USAGE, NULL);
    moat_usage usage;

    (void)arg;
    memset(&usage, 0x55, sizeof usage);
    usage.struct_size = offsetof(moat_usage, heap_byte_ms);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    EXPECT_EQ(usage.resumes, 1);
    EXPECT_EQ(usage.heap_byte_ms, UINT64_C(0x5555555555555555));
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(the_threads_clock_has_the_same),
    CHILD_CASE(memory_counts_while_it_is_held),
    CHILD_CASE(memory_of_one_resume_counts),
    CHILD_CASE(it_is_counted_only_on_request),
    CHILD_CASE(a_heap_that_is_lent_counts_for_each),
    CHILD_CASE(a_heap_that_was_made_late_counts),
    CHILD_CASE(an_older_host_is_served),
};

int main(int argc, char **argv)
{
    return child_cases_run("usage", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
