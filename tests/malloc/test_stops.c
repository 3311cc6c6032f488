/*
 * test_stops.c: a parser of JSON, third-party code that knows nothing of moat,
 * is stopped at instructions of each of its calls of malloc, realloc and free,
 * and all over its run. Neither side deadlocks, and nothing is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <moat/source.h>

#include "guests.h"

static const char text[] =
    "{\"name\": \"a guest\", \"list\": [1, 2.5, true, null, \"\\u20ac\", {}],"
    " \"object\": {\"a\": {\"b\": {\"c\": [\"deep\", [[[[]]]]]}}}}";

/* ---- Steps --------------------------------------------------------------- */

static long steps, stop_at;

/* The guest runs with the trap flag set: this comes after each instruction. In
 * the middle of a host call a fault would be the host's: the guest is stopped
 * at the next instruction at which it can be. */
static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    if (++steps >= stop_at && stop_at != 0 &&
        moat_trap_handle(signo, info, ucontext))
        stop_at = 0;
}

static void set_trap_flag(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void clear_trap_flag(void)
{
    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void handle_steps(void)
{
    const struct sigaction stepper = {.sa_sigaction = on_step,
                                      .sa_flags = SA_SIGINFO | SA_ONSTACK};

    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(sigaction(SIGTRAP, &stepper, NULL) == 0);
}

/* ---- The parser ---------------------------------------------------------- */

/* Reads, prints, and frees. Blocks are also handed over in both directions. */
static char *hosts_block;

static void parse(void)
{
    cJSON *tree = cJSON_Parse(text);
    char *printed;

    REQUIRE(tree != NULL);
    printed = cJSON_Print(tree);
    REQUIRE(printed != NULL);
    cJSON_Delete(tree);
    free(printed);
    hosts_block = realloc(hosts_block, 3000);
    free(hosts_block);
    hosts_block = NULL;
}

static void *parse_by_steps(moat_co *self, void *input)
{
    set_trap_flag();
    parse();
    clear_trap_flag();
    (void)self;
    return input;
}

/* ---- The calls of the allocator ------------------------------------------ */

static int calls, stepped_call;

static void before_call(void)
{
    if (calls++ == stepped_call)
        set_trap_flag();
}

static void *step_malloc(size_t bytes)
{
    void *block;

    before_call();
    block = malloc(bytes);
    clear_trap_flag();
    return block;
}

static void step_free(void *block)
{
    before_call();
    free(block);
    clear_trap_flag();
}

/* cJSON reallocates only with the C library's own functions. */
static void *parse_by_calls(moat_co *self, void *input)
{
    cJSON_Hooks hooks = {step_malloc, step_free};
    char *block;

    calls = 0;
    cJSON_InitHooks(&hooks);
    parse();
    block = malloc(10);
    for (size_t bytes = 100; bytes < 100000; bytes *= 3) {
        before_call();
        block = realloc(block, bytes);
        clear_trap_flag();
        REQUIRE(block != NULL);
    }
    free(block);
    (void)self;
    return input;
}

/* ---- After a stop -------------------------------------------------------- */

static void *parse_at_full_speed(moat_co *self, void *input)
{
    parse();
    EXPECT_EQ(moat_heap_used(moat_co_heap(self)), 0);
    return input;
}

/* Both sides go on: the host with its own heap, and another guest. */
static void go_on(void)
{
    cJSON_InitHooks(NULL);
    hosts_block = NULL; /* the stopped guest may have freed it */
    parse();
    guest_run(parse_at_full_speed, NULL);
}

static long steps_of(moat_entry entry)
{
    moat_co *co = guest_with(entry, QUOTA);

    steps = stop_at = 0;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    return steps;
}

static void stop(moat_entry entry, long at, bool reuse)
{
    moat_co *co = guest_with(entry, QUOTA);

    expect_context("step %ld of call %d", at, stepped_call);
    steps = 0;
    stop_at = at;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_BREAKPOINT);
    if (reuse) {
        REQUIRE(moat_co_reset(co) == MOAT_OK);
        EXPECT_EQ(moat_heap_used(moat_co_heap(co)), 0);
    }
    moat_co_destroy(co);
    go_on();
}

static size_t hosts_bytes(void)
{
    return mallinfo2().uordblks;
}

/* MOAT_TEST_EVERY: one of so many instructions is tried. */
static long distance(long otherwise)
{
    const char *every = getenv("MOAT_TEST_EVERY");

    return every != NULL ? strtol(every, NULL, 10) : otherwise;
}

static void in_each_call_of_the_allocator(const void *arg)
{
    size_t before = 0;
    int all, stops = 0;

    (void)arg;
    handle_steps();
    stepped_call = -1;
    (void)steps_of(parse_by_calls);
    all = calls;
    EXPECT(all > 40);
    for (int call = 0; call < all; call++) {
        long count, far;

        stepped_call = call;
        count = steps_of(parse_by_calls);
        EXPECT(count > 10);
        far = distance(count / 3);
        for (long at = 1 + call % 7; at < count; at += far, stops++)
            stop(parse_by_calls, at, call % 2 == 0);
        if (call == 10)
            before = hosts_bytes();
    }
    EXPECT(hosts_bytes() <= before + 4096);
    EXPECT(stops >= 3 * all);
}

static void anywhere_in_the_run(const void *arg)
{
    size_t before = 0;
    long count, every;
    int stops = 0;

    (void)arg;
    handle_steps();
    (void)steps_of(parse_by_steps);
    count = steps_of(parse_by_steps);
    every = distance(count / 7);
    for (long at = 1; at < count; at += every) {
        stop(parse_by_steps, at, stops % 2 == 0);
        if (++stops == 3)
            before = hosts_bytes();
    }
    EXPECT(hosts_bytes() <= before + 4096);
    EXPECT(stops >= 7);
}

/* The guest holds a block of the host's, which it resizes and frees: the next
 * allocator is never left half-way. */
static void *return_hosts_by_steps(moat_co *self, void *input)
{
    set_trap_flag();
    hosts_block = realloc(hosts_block, 3000);
    clear_trap_flag();
    (void)self;
    return input;
}

static void in_the_hosts_allocator(const void *arg)
{
    long count, every;
    int stops = 0;

    (void)arg;
    handle_steps();
    hosts_block = malloc(100);
    (void)steps_of(return_hosts_by_steps);
    hosts_block = malloc(100);
    count = steps_of(return_hosts_by_steps);
    every = distance(count / 41);
    for (long at = 1; at < count; at += every) {
        moat_co *co = guest_with(return_hosts_by_steps, QUOTA);

        expect_context("step %ld", at);
        hosts_block = malloc(100);
        steps = 0;
        stop_at = at;
        stops += guest_resume(co, NULL) == MOAT_EVENT_TRAP;
        moat_co_destroy(co);
        go_on();
    }
    EXPECT(stops >= 40);
}

static const struct child_case cases[] = {
    CHILD_CASE(in_each_call_of_the_allocator),
    CHILD_CASE(anywhere_in_the_run),
    CHILD_CASE(in_the_hosts_allocator),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.stops", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
