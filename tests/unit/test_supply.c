/*
 * test_supply.c: memory that is set aside before a lock is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "sys/lock.h"
#include "sys/supply.h"
#include "tests/support/fixture.h"

static void the_supply_is_empty_at_first_and_at_the_end(void **state)
{
    (void)state;
    assert_null(moat_supply_take(100));
    assert_false(moat_supply_fill(MOAT_OK));
    assert_true(moat_supply_add(100));
    assert_false(moat_supply_fill(MOAT_OK));
    assert_null(moat_supply_take(100));
    assert_false(moat_supply_fill(MOAT_E_INVAL));
}

static void what_was_missing_is_there_the_next_time(void **state)
{
    unsigned char *memory;

    (void)state;
    assert_null(moat_supply_take(40));
    assert_true(moat_supply_fill(MOAT_E_NOMEM));
    memory = moat_supply_take(40);
    assert_non_null(memory);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
    assert_false(moat_supply_fill(MOAT_OK));
}

/* A failure for which the supply is not to blame is final. */
static void another_want_of_memory_is_not_tried_again(void **state)
{
    (void)state;
    assert_false(moat_supply_fill(MOAT_E_NOMEM));
    /* The sanitizers' heaps abort at such a size. */
    if (UNDER_ASAN || UNDER_TSAN)
        return;
    assert_null(moat_supply_take(SIZE_MAX / 2));
    assert_false(moat_supply_fill(MOAT_E_NOMEM));
}

/* An attempt that loses all that it took gets on all the same. */
static void an_attempt_that_keeps_nothing_succeeds(void **state)
{
    static const size_t needs[] = {8, 4000, 16, 65536, 4000, 1, 4000};
    void *taken[7];
    size_t count, attempts = 0;

    (void)state;
    do {
        for (count = 0; count < 7; count++) {
            taken[count] = moat_supply_take(needs[count]);
            if (taken[count] == NULL)
                break;
        }
        for (size_t i = 0; i < count; i++)
            free(taken[i]);
        assert_true(++attempts < 100);
    } while (moat_supply_fill(count < 7 ? MOAT_E_NOMEM : MOAT_OK));
    assert_int_equal(count, 7);
}

/* A fault of memory that was freed too early would show under a sanitizer. */
static void memory_is_freed_after_the_last_lock(void **state)
{
    static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
    static pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
    char *first = malloc(16), *second = malloc(16);

    (void)state;
    assert_non_null(first);
    assert_non_null(second);
    moat_free_later(NULL);
    moat_lock(&outer);
    moat_lock(&inner);
    moat_free_later(first);
    moat_free_later(NULL);
    moat_unlock(&inner);
    first[15] = 1;
    moat_free_later(second);
    second[15] = 1;
    moat_unlock(&outer);
    moat_free_later(malloc(16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_supply_is_empty_at_first_and_at_the_end),
        cmocka_unit_test(what_was_missing_is_there_the_next_time),
        cmocka_unit_test(another_want_of_memory_is_not_tried_again),
        cmocka_unit_test(an_attempt_that_keeps_nothing_succeeds),
        cmocka_unit_test(memory_is_freed_after_the_last_lock),
    };

    return cmocka_run_group_tests_name("supply", tests, NULL, NULL);
}
