/*
 * test_ranges.c: compares the map of ranges with a plain list of its content.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "registry/registry.h"
#include "sys/supply.h"

#define PLACES ((size_t)3000) /* each can hold one range of up to 100 */
#define ROOM   ((uintptr_t)100)

static struct moat_ranges map;
static struct moat_range all[PLACES];
static bool in[PLACES];
static unsigned seed;

static unsigned draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

static void reserve(void)
{
    moat_status status;

    do
        status = moat_ranges_reserve(&map);
    while (moat_supply_fill(status));
    assert_int_equal(status, MOAT_OK);
}

static moat_status prepare(struct moat_registry *registry,
                           const struct moat_entry *entry)
{
    moat_status status;

    do
        status = moat_registry_prepare(registry, entry);
    while (moat_supply_fill(status));
    return status;
}

static void add(size_t place)
{
    uintptr_t begin = (place + 1) * ROOM;

    all[place].begin = begin + draw(10);
    all[place].end = begin + 11 + draw((unsigned)ROOM - 10);
    assert_false(moat_ranges_overlap(&map, &all[place]));
    reserve();
    moat_ranges_add(&map, &all[place]);
    in[place] = true;
}

static void take(size_t place)
{
    moat_ranges_remove(&map, &all[place]);
    in[place] = false;
}

static void expect_at(uintptr_t address, const struct moat_range *expected)
{
    assert_ptr_equal(moat_ranges_find(&map, address), expected);
}

/* Checks the range's borders, and that the map detects an overlap by one
 * address. */
static void check(size_t place)
{
    const struct moat_range *range = &all[place];
    struct moat_range probe = {(place + 1) * ROOM, (place + 2) * ROOM};

    assert_int_equal(moat_ranges_overlap(&map, &probe), in[place]);
    if (!in[place])
        return;
    expect_at(range->begin, range);
    expect_at(range->end - 1, range);
    if (range->begin > probe.begin)
        expect_at(range->begin - 1, NULL);
    if (range->end < probe.end)
        expect_at(range->end, NULL);
    probe.end = range->begin + 1;
    assert_true(moat_ranges_overlap(&map, &probe));
    probe.begin = range->end - 1;
    probe.end = range->end;
    assert_true(moat_ranges_overlap(&map, &probe));
}

static void check_all(void)
{
    bool any = false;

    for (size_t i = 0; i < PLACES; i++) {
        check(i);
        any = any || in[i];
    }
    assert_int_equal(moat_ranges_any(&map), any);
    expect_at(0, NULL);
    expect_at(UINTPTR_MAX, NULL);
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    check_all();
}

static void ascending_and_descending(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++)
        add(i);
    check_all();
    for (size_t i = PLACES; i-- > 0;)
        take(i);
    check_all();
    for (size_t i = PLACES; i-- > 0;)
        add(i);
    check_all();
    for (size_t i = 0; i < PLACES; i++)
        take(i);
    check_all();
}

/* Removes every other range, then three of four, so that leaves are merged. */
static void a_map_that_is_thinned_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++)
        add(i);
    for (size_t step = 2; step <= 64; step *= 2) {
        for (size_t i = 0; i < PLACES; i++) {
            if (in[i] && i % step != 0)
                take(i);
        }
        check_all();
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (in[i])
            take(i);
    }
    check_all();
}

static void at_random(void **state)
{
    (void)state;
    for (seed = 1; seed < 6; seed++) {
        unsigned favour = draw(10);

        for (size_t i = 0; i < 40000; i++) {
            size_t place = draw(PLACES);

            if (i % 5000 == 0) {
                check_all();
                favour = draw(11);
            }
            if (in[place] && draw(10) >= favour)
                take(place);
            else if (!in[place] && draw(10) < favour)
                add(place);
        }
    }
    check_all();
}

/* A range may begin where a removed one began, and extend beyond the former
 * beginning of the next leaf. */
static void a_range_over_the_border_of_leaves(void **state)
{
    struct moat_range wide;

    (void)state;
    for (size_t i = 0; i < PLACES; i++) {
        if (in[i])
            take(i);
    }
    for (size_t i = 0; i < 200; i++)
        add(i);
    for (size_t first = 0; first + 70 < 200; first++) {
        for (size_t i = first; i < first + 70; i++)
            take(i);
        wide.begin = (first + 1) * ROOM + 3;
        wide.end = (first + 71) * ROOM;
        reserve();
        moat_ranges_add(&map, &wide);
        for (uintptr_t a = wide.begin; a < wide.end; a += ROOM / 2)
            expect_at(a, &wide);
        expect_at(wide.end - 1, &wide);
        moat_ranges_remove(&map, &wide);
        for (size_t i = first; i < first + 70; i++)
            add(i);
    }
    check_all();
}

static void numbers_are_never_used_twice(void **state)
{
    static struct moat_registry registry;
    struct moat_entry one = {{100, 200}, 0, NULL}, two = {{150, 160}, 0, NULL};
    uint64_t first, second;

    (void)state;
    assert_int_equal(prepare(&registry, &one), MOAT_OK);
    first = moat_registry_add(&registry, &one);
    assert_ptr_equal(moat_registry_named(&registry, first), &one);
    assert_ptr_equal(moat_registry_at(&registry, 199), &one);
    assert_int_equal(prepare(&registry, &two), MOAT_E_OVERLAP);
    moat_registry_remove(&registry, &one);
    assert_null(moat_registry_named(&registry, first));
    assert_null(moat_registry_at(&registry, 199));
    assert_int_equal(prepare(&registry, &two), MOAT_OK);
    second = moat_registry_add(&registry, &two);
    assert_true(second != 0 && first != 0 && second != first);
    assert_null(moat_registry_named(&registry, first));
    moat_registry_remove(&registry, &two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(ascending_and_descending),
        cmocka_unit_test(a_map_that_is_thinned_out),
        cmocka_unit_test(at_random),
        cmocka_unit_test(a_range_over_the_border_of_leaves),
        cmocka_unit_test(numbers_are_never_used_twice),
    };

    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
