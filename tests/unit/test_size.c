/*
 * test_size.c: sums, products and roundings of sizes, up to where they
 * overflow.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include "sys/size.h"

static void sums_are_checked(void **state)
{
    size_t sum = 7;

    (void)state;
    assert_true(moat_size_add(1, 2, &sum));
    assert_int_equal(sum, 3);
    assert_true(moat_size_add(SIZE_MAX, 0, &sum));
    assert_true(sum == SIZE_MAX);
    assert_false(moat_size_add(SIZE_MAX, 1, &sum));
}

static void products_are_checked(void **state)
{
    size_t product = 7;

    (void)state;
    assert_true(moat_size_multiply(6, 7, &product));
    assert_int_equal(product, 42);
    assert_true(moat_size_multiply(SIZE_MAX, 0, &product));
    assert_int_equal(product, 0);
    assert_false(moat_size_multiply(SIZE_MAX / 2 + 1, 2, &product));
}

static void pages_are_rounded_up(void **state)
{
    static const size_t cases[][2] = {
        {0, 0}, {1, 4096}, {4095, 4096}, {4096, 4096}, {4097, 8192}};
    size_t pages;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(moat_size_to_pages(cases[i][0], &pages));
        assert_int_equal(pages, cases[i][1]);
    }
    assert_true(moat_size_to_pages(SIZE_MAX - 4095, &pages));
    assert_true(pages == SIZE_MAX - 4095);
    assert_false(moat_size_to_pages(SIZE_MAX - 4094, &pages));
    assert_false(moat_size_to_pages(SIZE_MAX, &pages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_checked),
        cmocka_unit_test(products_are_checked),
        cmocka_unit_test(pages_are_rounded_up),
    };

    return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
