/*
 * test_pages.c: finding touched pages, and both ways of zeroing them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>
#include <sys/mman.h>

#include "stack/scrub.h"
#include "sys/pagemap.h"
#include "sys/size.h"

/* More than one read of the page map can cover. */
#define PAGES 300

static unsigned char *map(void)
{
    unsigned char *memory =
        mmap(NULL, PAGES * moat_page_bytes(), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static uintptr_t end_of(const unsigned char *memory)
{
    return (uintptr_t)memory + PAGES * moat_page_bytes();
}

static int is_resident(unsigned char *page)
{
    unsigned char answer = 0;

    assert_int_equal(mincore(page, moat_page_bytes(), &answer), 0);
    return answer & 1;
}

static void the_lowest_touched_page_is_found(void **state)
{
    static const size_t touched[] = {PAGES - 1, 200, 129, 128, 127, 1, 0};
    unsigned char *memory = map();
    uintptr_t lowest = 0;

    (void)state;
    if (!moat_pagemap_works())
        skip_for("the kernel does not tell of pages");
    assert_int_equal(
        moat_pagemap_lowest((uintptr_t)memory, end_of(memory), &lowest),
        MOAT_OK);
    assert_true(lowest == end_of(memory));
    for (size_t i = 0; i < sizeof touched / sizeof touched[0]; i++) {
        memory[touched[i] * moat_page_bytes() + 17] = 1;
        assert_int_equal(
            moat_pagemap_lowest((uintptr_t)memory, end_of(memory), &lowest),
            MOAT_OK);
        assert_true(lowest ==
                    (uintptr_t)memory + touched[i] * moat_page_bytes());
    }
    assert_int_equal(munmap(memory, PAGES * moat_page_bytes()), 0);
}

static void an_empty_range_has_no_page(void **state)
{
    uintptr_t lowest = 0;

    (void)state;
    if (!moat_pagemap_works())
        skip_for("the kernel does not tell of pages");
    assert_int_equal(
        moat_pagemap_lowest(moat_page_bytes(), moat_page_bytes(), &lowest),
        MOAT_OK);
    assert_true(lowest == moat_page_bytes());
}

static void expect_zeros(const unsigned char *memory)
{
    for (size_t i = 0; i < PAGES * moat_page_bytes(); i++)
        assert_int_equal(memory[i], 0);
}

static void zeroing_keeps_touched_pages(void **state)
{
    unsigned char *memory = map();
    unsigned char *touched = memory + 150 * moat_page_bytes();

    (void)state;
    memset(touched, 0xa5, moat_page_bytes());
    assert_int_equal(moat_stack_zero((uintptr_t)memory, end_of(memory)),
                     MOAT_OK);
    if (moat_pagemap_works()) {
        assert_true(is_resident(touched));
        assert_false(is_resident(memory));
    }
    expect_zeros(memory);
    assert_int_equal(munmap(memory, PAGES * moat_page_bytes()), 0);
}

static void discarding_gives_pages_back(void **state)
{
    unsigned char *memory = map();

    (void)state;
    memset(memory, 0xa5, PAGES * moat_page_bytes());
    assert_int_equal(moat_stack_discard((uintptr_t)memory, end_of(memory)),
                     MOAT_OK);
    assert_false(is_resident(memory));
    assert_false(is_resident(memory + 150 * moat_page_bytes()));
    expect_zeros(memory);
    assert_int_equal(munmap(memory, PAGES * moat_page_bytes()), 0);
}

static void locked_pages_are_overwritten(void **state)
{
    const size_t bytes = 4 * moat_page_bytes(); /* the limit may be low */
    unsigned char *memory = map();

    (void)state;
    if (mlock(memory, bytes) != 0)
        skip_for("no memory can be locked");
    memset(memory, 0xa5, bytes);
    assert_int_equal(
        moat_stack_discard((uintptr_t)memory, (uintptr_t)memory + bytes),
        MOAT_OK);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 0);
    assert_true(is_resident(memory));
    assert_int_equal(munmap(memory, PAGES * moat_page_bytes()), 0);
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
