/*
 * test_options.c: structs of callers that know more or fewer fields.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>

#include "engine/options.h"

/* Three versions of one struct. */
struct first {
    size_t struct_size;
    uint64_t a;
};

struct second {
    size_t struct_size;
    uint64_t a, b;
};

struct third {
    size_t struct_size;
    uint64_t a, b, c;
};

static moat_status copy(const void *from, struct second *to)
{
    memset(to, 0xee, sizeof *to);
    return moat_options_copy("from", to, sizeof *to, from,
                             sizeof(struct first));
}

static void the_same_version_is_copied(void **state)
{
    const struct second from = {sizeof from, 1, 2};
    struct second to;

    (void)state;
    assert_int_equal(copy(&from, &to), MOAT_OK);
    assert_memory_equal(&from, &to, sizeof to);
}

static void missing_fields_are_zero(void **state)
{
    const struct first from = {sizeof from, 1};
    struct second to;

    (void)state;
    assert_int_equal(copy(&from, &to), MOAT_OK);
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 0);
}

static void unknown_fields_must_be_zero(void **state)
{
    struct third from = {sizeof from, 1, 2, 0};
    struct second to;

    (void)state;
    assert_int_equal(copy(&from, &to), MOAT_OK);
    assert_int_equal(to.b, 2);
    from.c = (uint64_t)1 << 56; /* its last byte */
    assert_int_equal(copy(&from, &to), MOAT_E_UNSUPPORTED);
}

static void sizes_that_no_version_had_are_refused(void **state)
{
    static const size_t sizes[] = {0,    1,       8, sizeof(struct first) - 1,
                                   4097, SIZE_MAX};
    struct {
        size_t struct_size;
        char rest[5000];
    } from;
    struct second to;

    (void)state;
    memset(&from, 0, sizeof from);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        from.struct_size = sizes[i];
        assert_int_equal(copy(&from, &to), MOAT_E_INVAL);
    }
    from.struct_size = 4096;
    assert_int_equal(copy(&from, &to), MOAT_OK);
}

static void a_result_stays_in_its_callers_struct(void **state)
{
    const struct third from = {sizeof from, 1, 2, 3};
    struct third to;

    (void)state;
    memset(&to, 0xee, sizeof to);
    to.struct_size = sizeof(struct second);
    moat_options_copy_out(&to, &from, sizeof from);
    assert_int_equal(to.struct_size, sizeof(struct second));
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 2);
    assert_int_equal(to.c, 0xeeeeeeeeeeeeeeee);
}

static void a_result_for_a_longer_struct_tells_its_size(void **state)
{
    const struct second from = {sizeof from, 1, 2};
    struct third to;

    (void)state;
    memset(&to, 0xee, sizeof to);
    to.struct_size = sizeof to;
    moat_options_copy_out(&to, &from, sizeof from);
    assert_int_equal(to.struct_size, sizeof from);
    assert_int_equal(to.b, 2);
    assert_int_equal(to.c, 0);
}

static void a_result_has_a_size_that_a_version_had(void **state)
{
    static const size_t refused[] = {
        0, 1, sizeof(size_t), sizeof(struct first) - 1, 4097, SIZE_MAX};
    static const size_t taken[] = {sizeof(struct first), sizeof(struct third),
                                   4096};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(
            moat_options_check_out(&refused[i], sizeof(struct first)),
            MOAT_E_INVAL);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        assert_int_equal(
            moat_options_check_out(&taken[i], sizeof(struct first)), MOAT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_version_is_copied),
        cmocka_unit_test(missing_fields_are_zero),
        cmocka_unit_test(unknown_fields_must_be_zero),
        cmocka_unit_test(sizes_that_no_version_had_are_refused),
        cmocka_unit_test(a_result_stays_in_its_callers_struct),
        cmocka_unit_test(a_result_for_a_longer_struct_tells_its_size),
        cmocka_unit_test(a_result_has_a_size_that_a_version_had),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
