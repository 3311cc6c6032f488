/*
 * test_scrub.c: the stacks of a chain are zeroed and no other memory changes,
 * with each method that finds their pages and without any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "stack/arena.h"
#include "stack/guard_choice.h"
#include "stack/scrub.h"
#include "sys/pagemap.h"
#include "sys/pages.h"
#include "sys/size.h"

#define USABLE ((size_t)32 << 10)
#define GUARD  ((size_t)8 << 10)
#define SLOTS  150 /* in two arenas, and more runs than one call covers */

static struct moat_slot *slots[SLOTS];

/* The conditions of a test: the methods, and whether the page map can be
 * read. */
struct setting {
    bool scan;
    bool pagemap;
};

static void take_all(const struct setting *setting)
{
    struct moat_arena_layout layout = {64, 0, 64, MOAT_GUARD_AUTO, NULL};
    struct moat_stack_class *stack_class = NULL;

    if (setting->scan && !moat_pagemap_scan_works())
        skip_for("there is no PAGEMAP_SCAN");
    moat_methods.scan = setting->scan;
    assert_int_equal(moat_guard_choose(MOAT_GUARD_AUTO, &layout.guard),
                     MOAT_OK);
    moat_arena_layout = layout;
    assert_int_equal(moat_stack_class_get(USABLE, GUARD, &stack_class),
                     MOAT_OK);
    for (size_t i = 0; i < SLOTS; i++) {
        assert_int_equal(moat_slots_take(stack_class, 1, &slots[i]), MOAT_OK);
        /* The lowest page, the highest, and one between them. */
        memset((void *)slots[i]->limit, 0x5a, moat_page_bytes());
        memset((void *)(slots[i]->limit + 3 * moat_page_bytes()), 0x5a, 17);
        memset((void *)(slots[i]->base - 100), 0x5a, 100);
    }
}

static bool is_zero(const struct moat_slot *slot)
{
    const unsigned char *memory = (const unsigned char *)slot->limit;

    for (size_t i = 0; i < slot->base - slot->limit; i++) {
        if (memory[i] != 0)
            return false;
    }
    return true;
}

static bool is_untouched(const struct moat_slot *slot)
{
    const unsigned char *memory = (const unsigned char *)slot->limit;

    return memory[0] == 0x5a && memory[moat_page_bytes() - 1] == 0x5a &&
           memory[3 * moat_page_bytes()] == 0x5a &&
           *(const unsigned char *)(slot->base - 1) == 0x5a;
}

/* Makes every open fail from now on, until the limit is raised again. */
static struct rlimit allow_descriptors(rlim_t count)
{
    struct rlimit before, now;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static struct moat_slot *scrub(const struct setting *setting,
                               struct moat_slot *first)
{
    struct rlimit before;

    if (setting->pagemap)
        return moat_scrub(first);
    before = allow_descriptors(0);
    first = moat_scrub(first);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return first;
}

/* Two of three slots, from both ends inwards: neighbours upwards and downwards,
 * single ones, and alternating arenas. */
static struct moat_slot *make_chain(void)
{
    struct moat_slot *first = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        size_t index = i % 2 == 0 ? i / 2 : SLOTS - 1 - i / 2;

        if (index % 3 == 0)
            continue;
        slots[index]->next = first;
        first = slots[index];
    }
    return first;
}

static struct moat_slot *chain_in_order(void)
{
    struct moat_slot *first = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        if (i % 50 == 0)
            continue;
        slots[i]->next = first;
        first = slots[i];
    }
    return first;
}

static void expect_scrubbed(const struct setting *setting,
                            struct moat_slot *chain, size_t modulus)
{
    struct moat_slot *each = scrub(setting, chain);
    size_t count = 0;

    assert_ptr_equal(each, chain);
    for (; each != NULL; each = each->next)
        count++;
    for (size_t i = 0; i < SLOTS; i++) {
        if (i % modulus == 0)
            assert_true(is_untouched(slots[i]));
        else
            assert_true(is_zero(slots[i]));
        count -= i % modulus != 0;
    }
    assert_int_equal(count, 0);
    moat_arena_release_all();
}

static void scattered_stacks_become_zeros(void **state)
{
    take_all(*state);
    expect_scrubbed(*state, make_chain(), 3);
}

static void neighbours_become_zeros(void **state)
{
    take_all(*state);
    expect_scrubbed(*state, chain_in_order(), 50);
}

static void touched_pages_stay_resident(void **state)
{
    const struct setting *setting = *state;
    size_t before;

    take_all(setting);
    before = moat_pages_resident(slots[1]->limit, slots[1]->base & ~4095UL);
    assert_int_equal(before, 2 * moat_page_bytes());
    (void)scrub(setting, chain_in_order());
    assert_int_equal(
        moat_pages_resident(slots[1]->limit, slots[1]->base & ~4095UL),
        setting->pagemap ? before : 0);
    moat_arena_release_all();
}

/* The pages of a stack with a hole cannot be dropped. */
static void what_cannot_be_scrubbed_is_not_handed_on(void **state)
{
    struct moat_slot *first, *lost = NULL;
    size_t count = 0;

    take_all(*state);
    lost = slots[SLOTS - 7];
    assert_int_equal(
        munmap((void *)(lost->limit + moat_page_bytes()), moat_page_bytes()),
        0);
    first = scrub(*state, chain_in_order());
    for (; first != NULL; first = first->next, count++) {
        assert_ptr_not_equal(first, lost);
        assert_true(is_zero(first));
    }
    assert_int_equal(count, SLOTS - 4);
    moat_arena_release_all();
}

static struct setting by_scan = {true, true};
static struct setting by_words = {false, true};
static struct setting without_pagemap = {false, false};

#define EACH(test)                                  \
    cmocka_unit_test_prestate(test, &by_scan),      \
        cmocka_unit_test_prestate(test, &by_words), \
        cmocka_unit_test_prestate(test, &without_pagemap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(scattered_stacks_become_zeros),
        EACH(neighbours_become_zeros),
        EACH(touched_pages_stay_resident),
        cmocka_unit_test_prestate(what_cannot_be_scrubbed_is_not_handed_on,
                                  &without_pagemap),
    };

    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
