/*
 * test_pages.c: which pages were touched, and both ways of making them zeros.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>
#include <sys/mman.h>

#include "stack/size.h"
#include "stack/stack.h"

/* More than one read of the page map covers. */
#define PAGES 300

static unsigned char *map(void)
{
    unsigned char *memory =
        mmap(NULL, PAGES * MOAT_PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static uintptr_t end_of(const unsigned char *memory)
{
    return (uintptr_t)memory + PAGES * MOAT_PAGE_BYTES;
}

static int is_resident(unsigned char *page)
{
    unsigned char answer = 0;

    assert_int_equal(mincore(page, MOAT_PAGE_BYTES, &answer), 0);
    return answer & 1;
}

static void the_lowest_touched_page_is_found(void **state)
{
    static const size_t touched[] = {PAGES - 1, 200, 129, 128, 127, 1, 0};
    unsigned char *memory = map();
    uintptr_t lowest = 0;

    (void)state;
    if (!moat_pages_known())
        skip();
    assert_int_equal(
        moat_pages_lowest((uintptr_t)memory, end_of(memory), &lowest), MOAT_OK);
    assert_true(lowest == end_of(memory));
    for (size_t i = 0; i < sizeof touched / sizeof touched[0]; i++) {
        memory[touched[i] * MOAT_PAGE_BYTES + 17] = 1;
        assert_int_equal(
            moat_pages_lowest((uintptr_t)memory, end_of(memory), &lowest),
            MOAT_OK);
        assert_true(lowest == (uintptr_t)memory + touched[i] * MOAT_PAGE_BYTES);
    }
    assert_int_equal(munmap(memory, PAGES * MOAT_PAGE_BYTES), 0);
}

static void an_empty_range_has_no_page(void **state)
{
    uintptr_t lowest = 0;

    (void)state;
    if (!moat_pages_known())
        skip();
    assert_int_equal(
        moat_pages_lowest(MOAT_PAGE_BYTES, MOAT_PAGE_BYTES, &lowest), MOAT_OK);
    assert_true(lowest == MOAT_PAGE_BYTES);
}

static void expect_zeros(const unsigned char *memory)
{
    for (size_t i = 0; i < PAGES * MOAT_PAGE_BYTES; i++)
        assert_int_equal(memory[i], 0);
}

static void zeroing_keeps_touched_pages(void **state)
{
    unsigned char *memory = map();
    unsigned char *touched = memory + 150 * MOAT_PAGE_BYTES;

    (void)state;
    memset(touched, 0xa5, MOAT_PAGE_BYTES);
    assert_int_equal(moat_pages_zero((uintptr_t)memory, end_of(memory)),
                     MOAT_OK);
    if (moat_pages_known()) {
        assert_true(is_resident(touched));
        assert_false(is_resident(memory));
    }
    expect_zeros(memory);
    assert_int_equal(munmap(memory, PAGES * MOAT_PAGE_BYTES), 0);
}

static void discarding_gives_pages_back(void **state)
{
    unsigned char *memory = map();

    (void)state;
    memset(memory, 0xa5, PAGES * MOAT_PAGE_BYTES);
    assert_int_equal(moat_pages_discard((uintptr_t)memory, end_of(memory)),
                     MOAT_OK);
    assert_false(is_resident(memory));
    assert_false(is_resident(memory + 150 * MOAT_PAGE_BYTES));
    expect_zeros(memory);
    assert_int_equal(munmap(memory, PAGES * MOAT_PAGE_BYTES), 0);
}

static void locked_pages_are_overwritten(void **state)
{
    const size_t bytes = 4 * MOAT_PAGE_BYTES; /* little may be locked */
    unsigned char *memory = map();

    (void)state;
    if (mlock(memory, bytes) != 0)
        skip();
    memset(memory, 0xa5, bytes);
    assert_int_equal(
        moat_pages_discard((uintptr_t)memory, (uintptr_t)memory + bytes),
        MOAT_OK);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 0);
    assert_true(is_resident(memory));
    assert_int_equal(munmap(memory, PAGES * MOAT_PAGE_BYTES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_touched_page_is_found),
        cmocka_unit_test(an_empty_range_has_no_page),
        cmocka_unit_test(zeroing_keeps_touched_pages),
        cmocka_unit_test(discarding_gives_pages_back),
        cmocka_unit_test(locked_pages_are_overwritten),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
