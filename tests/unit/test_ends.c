/*
 * test_ends.c: both ends of a backtrace of any length, and the borders in
 * between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "trace/ends.h"

static struct moat_both_ends ends;

/* Every `step`-th frame is a border; 0: none is. The pc is the number. */
static void fill(size_t total, size_t step)
{
    memset(&ends, 0, sizeof ends);
    for (size_t i = 0; i < total; i++) {
        bool border = step != 0 && i % step == step - 1;
        moat_frame frame = {i, i, NULL, border ? MOAT_FRAME_ROOT : 0};

        moat_ends_put(&ends, &frame);
    }
    moat_ends_close(&ends);
}

/* Each frame has its number, they ascend, and the gaps add up. */
static void expect_sound(size_t total)
{
    size_t left_out = 0;

    assert_int_equal(ends.total, total);
    assert_in_range(ends.count, total < 1 ? 0 : 1, MOAT_ENDS_FRAMES);
    for (size_t i = 0; i < ends.count; i++) {
        assert_int_equal(ends.frames[i].pc, moat_ends_number(&ends, i));
        assert_true(i == 0 || ends.frames[i].pc > ends.frames[i - 1].pc);
        left_out += moat_ends_gap(&ends, i);
    }
    assert_int_equal(left_out, total - ends.count);
    if (total == 0)
        return;
    assert_int_equal(ends.frames[0].pc, 0);
    assert_int_equal(ends.frames[ends.count - 1].pc, total - 1);
}

static void every_length_has_both_ends(void **state)
{
    static const size_t bounds[] = {0, MOAT_ENDS_FIRST,
                                    MOAT_ENDS_FIRST + MOAT_ENDS_LAST,
                                    MOAT_ENDS_FRAMES, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (size_t more = 0; more < 3; more++) {
            size_t total = bounds[i] + more;

            fill(total, 0);
            expect_sound(total);
            assert_int_equal(ends.count,
                             total < MOAT_ENDS_FIRST + MOAT_ENDS_LAST
                                 ? total
                                 : MOAT_ENDS_FIRST + MOAT_ENDS_LAST);
        }
    }
}

static void borders_between_the_ends_are_kept(void **state)
{
    size_t roots = 0;

    (void)state;
    fill(20000, 100);
    expect_sound(20000);
    for (size_t i = 0; i < ends.count; i++)
        roots += (ends.frames[i].flags & MOAT_FRAME_ROOT) != 0;
    assert_int_equal(roots, 200);
}

static void only_so_many_borders_are_kept(void **state)
{
    (void)state;
    fill(20000, 2);
    expect_sound(20000);
    assert_int_equal(ends.count, MOAT_ENDS_FRAMES);
    assert_int_equal(ends.borders, MOAT_ENDS_BORDERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_has_both_ends),
        cmocka_unit_test(borders_between_the_ends_are_kept),
        cmocka_unit_test(only_so_many_borders_are_kept),
    };

    return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
