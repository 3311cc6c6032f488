/*
 * test_environment.c: choosing from a table of words by an environment
 * variable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdlib.h>

#include "sys/environment.h"

#define VARIABLE "MOAT_TEST_CHOICE"

static const char *const words[] = {"auto", "one", "two", NULL};

static moat_status choose(const char *text, int *choice)
{
    if (text == NULL)
        assert_int_equal(unsetenv(VARIABLE), 0);
    else
        assert_int_equal(setenv(VARIABLE, text, 1), 0);
    return moat_environment_choose(VARIABLE, words, choice);
}

static void the_first_word_is_the_default(void **state)
{
    static const char *const texts[] = {NULL, "", "auto"};
    int choice = -2;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(choose(texts[i], &choice), MOAT_OK);
        assert_int_equal(choice, 0);
    }
}

static void a_word_is_found(void **state)
{
    int choice = -2;

    (void)state;
    assert_int_equal(choose("one", &choice), MOAT_OK);
    assert_int_equal(choice, 1);
    assert_int_equal(choose("two", &choice), MOAT_OK);
    assert_int_equal(choice, 2);
}

static void other_words_are_refused(void **state)
{
    static const char *const texts[] = {"o", "ones", "One", " one", "three"};
    int choice = -2;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(choose(texts[i], &choice), MOAT_E_INVAL);
        assert_int_equal(choice, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_is_the_default),
        cmocka_unit_test(a_word_is_found),
        cmocka_unit_test(other_words_are_refused),
    };

    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
