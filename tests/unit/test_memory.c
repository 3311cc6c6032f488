/*
 * test_memory.c: reservations, and reading memory that may not be mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "sys/memory.h"
#include "sys/size.h"

static void the_page_size_is_the_systems(void **state)
{
    (void)state;
    assert_int_equal(moat_page_bytes(), sysconf(_SC_PAGESIZE));
    assert_int_equal(moat_page_bytes() & (moat_page_bytes() - 1), 0);
    assert_int_equal(moat_page_of(moat_page_bytes() + 1), moat_page_bytes());
    assert_int_equal(moat_page_of(moat_page_bytes() - 1), 0);
}

/* Maps three pages, of which the second stays inaccessible. */
static uintptr_t map_with_hole(void)
{
    size_t page = moat_page_bytes();
    uintptr_t begin = moat_memory_reserve(3 * page);

    assert_true(begin != 0);
    assert_int_equal(moat_memory_open(begin, page), MOAT_OK);
    assert_int_equal(moat_memory_open(begin + 2 * page, page), MOAT_OK);
    memset((void *)begin, 1, page);
    memset((void *)(begin + 2 * page), 3, page);
    return begin;
}

static void reading_ends_at_a_hole(void **state)
{
    size_t page = moat_page_bytes(), copied;
    uintptr_t begin = map_with_hole();
    uintptr_t hole = begin + page, end = begin + 3 * page;
    const struct moat_memory_part ranges[] = {
        {begin, 2}, {hole - 3, 3}, {hole, 1}, {end - 1, 1}};
    unsigned char bytes[8] = {0};

    (void)state;
    assert_int_equal(moat_memory_read(ranges, 2, bytes, &copied), MOAT_OK);
    assert_int_equal(copied, 5);
    assert_int_equal(moat_memory_read(ranges, 4, bytes, &copied), MOAT_OK);
    assert_int_equal(copied, 5);
    assert_int_equal(bytes[4], 1);
    assert_int_equal(bytes[5], 0);
    assert_int_equal(moat_memory_read(ranges + 2, 2, bytes, &copied), MOAT_OK);
    assert_int_equal(copied, 0);
    assert_int_equal(moat_memory_read(ranges + 3, 1, bytes, &copied), MOAT_OK);
    assert_int_equal(copied, 1);
    assert_int_equal(bytes[0], 3);
    moat_memory_release(begin, 3 * page);
}

static void a_renewed_reservation_is_empty(void **state)
{
    size_t page = moat_page_bytes(), copied;
    uintptr_t begin = map_with_hole();
    const struct moat_memory_part first = {begin, 1};
    unsigned char byte = 7;

    (void)state;
    assert_true(moat_memory_renew(begin, 3 * page));
    assert_int_equal(moat_memory_read(&first, 1, &byte, &copied), MOAT_OK);
    assert_int_equal(copied, 0);
    assert_int_equal(moat_memory_open(begin, page), MOAT_OK);
    assert_int_equal(moat_memory_read(&first, 1, &byte, &copied), MOAT_OK);
    assert_int_equal(copied, 1);
    assert_int_equal(byte, 0);
    moat_memory_release(begin, 3 * page);
}

static void no_room_is_reported(void **state)
{
    (void)state;
    assert_true(moat_memory_reserve((size_t)1 << 62) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_size_is_the_systems),
        cmocka_unit_test(reading_ends_at_a_hole),
        cmocka_unit_test(a_renewed_reservation_is_empty),
        cmocka_unit_test(no_room_is_reported),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
