/*
 * test_restarts.c: when a script that has ended is started again, by a clock
 * that the test sets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "restart.h"

#define SECOND UINT64_C(1000000000)

static const struct restart_options on_failure = {.when = RESTART_ON_FAILURE,
                                                  .max = 3,
                                                  .period_ns = 10 * SECOND,
                                                  .delay_ns = SECOND,
                                                  .delay_max_ns = 3 * SECOND};

/* A run of `ns` nanoseconds, which begins at *now. */
static struct result run(struct restart *restart,
                         const struct restart_options *options,
                         enum verdict verdict, uint64_t *now, uint64_t ns)
{
    struct result result = {.number = 5, .verdict = verdict};

    restart_begin(restart, &result, *now);
    *now += ns;
    restart_judge(restart, options, &result, *now);
    return result;
}

static void expect_again(const struct result *result, uint64_t delay)
{
    assert_true(result->again);
    assert_false(result->given_up);
    assert_int_equal(result->restart_in_ns, delay);
}

static void the_policy_decides(void **state)
{
    static const struct {
        enum restart_when when;
        enum verdict verdict;
        bool again;
    } rows[] = {{RESTART_NEVER, VERDICT_ERROR, false},
                {RESTART_NEVER, VERDICT_OK, false},
                {RESTART_ON_FAILURE, VERDICT_OK, false},
                {RESTART_ON_FAILURE, VERDICT_ERROR, true},
                {RESTART_ON_FAILURE, VERDICT_LOAD_ERROR, true},
                {RESTART_ON_FAILURE, VERDICT_TIME_LIMIT, true},
                {RESTART_ON_FAILURE, VERDICT_NOT_RUN, true},
                {RESTART_ALWAYS, VERDICT_OK, true},
                {RESTART_ALWAYS, VERDICT_FAULT, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct restart_options options = on_failure;
        struct restart restart = {0};
        uint64_t now = SECOND;
        struct result result;

        options.when = rows[i].when;
        result = run(&restart, &options, rows[i].verdict, &now, 1);
        assert_int_equal(result.again, rows[i].again);
        assert_false(result.given_up);
        assert_int_equal(result.run, 1);
        restart_free(&restart);
    }
}

static void delays_double_up_to_the_longest(void **state)
{
    struct restart_options options = on_failure;
    struct restart restart = {0};
    uint64_t now = SECOND;
    struct result result;

    (void)state;
    options.max = 10;
    result = run(&restart, &options, VERDICT_ERROR, &now, 1);
    expect_again(&result, SECOND);
    assert_int_equal(restart.due, now + SECOND);
    assert_int_equal(restart.file, 4);
    result = run(&restart, &options, VERDICT_ERROR, &now, 1);
    expect_again(&result, 2 * SECOND);
    result = run(&restart, &options, VERDICT_ERROR, &now, 1);
    expect_again(&result, 3 * SECOND);
    result = run(&restart, &options, VERDICT_ERROR, &now, 1);
    expect_again(&result, 3 * SECOND);
    /* A run that lasts for the period begins a new row. */
    result = run(&restart, &options, VERDICT_ERROR, &now, 10 * SECOND);
    expect_again(&result, SECOND);
    assert_int_equal(result.run, 5);
    options.delay_ns = 0;
    result = run(&restart, &options, VERDICT_ERROR, &now, 1);
    expect_again(&result, 0);
    restart_free(&restart);
}

static void too_many_within_the_period_are_the_end(void **state)
{
    struct restart restart = {0};
    uint64_t now = SECOND;
    struct result result;

    (void)state;
    for (int i = 0; i < 3; i++) {
        result = run(&restart, &on_failure, VERDICT_ERROR, &now, SECOND);
        assert_true(result.again);
    }
    result = run(&restart, &on_failure, VERDICT_ERROR, &now, SECOND);
    assert_false(result.again);
    assert_true(result.given_up);
    restart_free(&restart);
}

/* One restart every four seconds: never a fourth in ten. */
static void rare_ones_never_are(void **state)
{
    struct restart restart = {0};
    uint64_t now = SECOND;

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct result result =
            run(&restart, &on_failure, VERDICT_ERROR, &now, 4 * SECOND);

        assert_true(result.again);
    }
    restart_free(&restart);
}

static void those_that_wait_are_in_order(void **state)
{
    struct restart all[] = {{.due = 3}, {.due = 1}, {.due = 2}, {.due = 1}};
    struct restart *list = NULL;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        restart_wait(&list, &all[i]);
    assert_ptr_equal(list, &all[1]);
    assert_ptr_equal(list->next, &all[3]);
    assert_ptr_equal(list->next->next, &all[2]);
    assert_ptr_equal(list->next->next->next, &all[0]);
    assert_null(all[0].next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_decides),
        cmocka_unit_test(delays_double_up_to_the_longest),
        cmocka_unit_test(too_many_within_the_period_are_the_end),
        cmocka_unit_test(rare_ones_never_are),
        cmocka_unit_test(those_that_wait_are_in_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
