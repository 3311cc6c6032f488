/*
 * test_runner.c: a test runner that survives crashing tests, in one process.
 *
 * Shows: a coroutine for each test, reset after a trap and used again; a limit
 * in wall-clock time; moat_co_describe, for the line that crashed.
 * Run: build/debug/examples/test_runner
 * Prints: a line for each test, then the sum (expected/test_runner.txt).
 * Try: a test of your own in the table at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

/* ---- What the tests call ---- */

static const char *failure; /* of the running test */

#define CHECK(condition)          \
    do {                          \
        if (!(condition))         \
            failure = #condition; \
    } while (0)

/* ---- The runner ---- */

struct test {
    const char *name;
    void (*body)(void);
};

static void *run_body(moat_co *self, void *input)
{
    const struct test *test = input;

    (void)self;
    test->body();
    return NULL;
}

/* Prints where the test stopped: its innermost function, not one of the C
 * library's. */
static void print_place(const moat_co *co)
{
    moat_described_frame frames[8];
    size_t count = 0;
    moat_status status = moat_co_describe(co, frames, 8, &count);

    if (status != MOAT_OK && status != MOAT_E_FULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if (strstr(frames[i].module, "libc.so") == NULL) {
            printf(" in %s", frames[i].function);
            return;
        }
    }
}

static int run(moat_co *co, const struct test *test)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;

    failure = NULL;
    if (moat_co_resume(co, (void *)test, &event) != MOAT_OK)
        return 1;
    if (moat_co_trap_info(co, &trap) == MOAT_OK) {
        printf("CRASH %s: %s", test->name, moat_trap_kind_str(trap.kind));
        print_place(co);
        printf("\n");
    } else if (failure != NULL) {
        printf("FAIL  %s: %s\n", test->name, failure);
    } else {
        printf("ok    %s\n", test->name);
    }
    return moat_co_reset(co) != MOAT_OK || event.kind == MOAT_EVENT_TRAP ||
           failure != NULL;
}

static int run_all(const struct test *tests, size_t count)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_status status;
    int failed = 0;
    moat_co *co;

    limits.resume_cpu_ns = 200000000; /* 200 ms each */
    options.limits = &limits;
    status = moat_co_create(&co, run_body, &options);
    if (status != MOAT_OK) {
        fprintf(stderr, "test_runner: %s\n", moat_error_str(status));
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        failed += run(co, &tests[i]);
    moat_co_destroy(co);
    return failed;
}

/* ---- The tests ---- */

static int *volatile nowhere;
static volatile int one = 1;

static void sums_are_right(void)
{
    CHECK(one + one == 2);
}

static void zero_is_one(void)
{
    CHECK(one == 0);
}

__attribute__((noinline)) static void store(int *to)
{
    *to = one;
}

static void stores_to_nowhere(void)
{
    store(nowhere);
    CHECK(one == 1);
}

static void divides_by_zero(void)
{
    CHECK(one / (one - 1) == 0);
}

static void gives_up(void)
{
    abort();
}

static void never_ends(void)
{
    while (one)
        continue;
}

static void comes_last(void)
{
    CHECK(strlen("last") == 4);
}

int main(void)
{
    static const struct test tests[] = {
        {"sums_are_right", sums_are_right},
        {"zero_is_one", zero_is_one},
        {"stores_to_nowhere", stores_to_nowhere},
        {"divides_by_zero", divides_by_zero},
        {"gives_up", gives_up},
        {"never_ends", never_ends},
        {"comes_last", comes_last},
    };
    size_t count = sizeof tests / sizeof tests[0];
    int failed = run_all(tests, count);

    printf("%d of %zu failed\n", failed, count);
    return failed != 5;
}
