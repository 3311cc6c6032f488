/*
 * test_trim.c: the memory of idle slots is released, with both ways of dropping
 * it and by policy; guards and slots in use do not change.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stack/arena.h"
#include "stack/guard_choice.h"
#include "stack/pool.h"
#include "stack/trim.h"
#include "sys/methods.h"
#include "sys/pages.h"
#include "sys/size.h"

#define USABLE ((size_t)32 << 10)
#define GUARD  ((size_t)8 << 10)
#define COLD   ((size_t)4096)
#define SLOTS  192 /* the first two arenas of a class, full */

static struct moat_slot *slots[SLOTS];

static void configure(const bool *batch, size_t free_bytes, size_t stack_bytes)
{
    struct moat_arena_layout layout = {64, 0, COLD, MOAT_GUARD_AUTO, NULL};
    struct moat_trim_policy policy = {free_bytes, stack_bytes};

    if (*batch && !moat_pages_drop_batch_works())
        skip_for("memory is not dropped in batches here");
    moat_methods.batch = *batch;
    assert_int_equal(moat_guard_choose(MOAT_GUARD_AUTO, &layout.guard),
                     MOAT_OK);
    moat_arena_layout = layout;
    moat_trim_configure(&policy);
}

/* Each slot has two resident pages, and its cold part. */
static void take(size_t from, size_t to)
{
    struct moat_stack_class *stack_class = NULL;

    assert_int_equal(moat_stack_class_get(USABLE, GUARD, &stack_class),
                     MOAT_OK);
    for (size_t i = from; i < to; i++) {
        assert_int_equal(moat_slots_take(stack_class, 1, &slots[i]), MOAT_OK);
        *(volatile char *)(slots[i]->base - 1) = 1;
        *(volatile char *)(slots[i]->limit) = 1;
        *(volatile char *)moat_slot_cold(slots[i]) = 1;
    }
}

#define TWO_PAGES (2 * moat_page_bytes())

static void give(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        slots[i]->next = i + 1 < to ? slots[i + 1] : NULL;
    moat_trim_return(slots[from]);
}

static size_t resident(size_t from, size_t to)
{
    size_t bytes = 0;

    for (size_t i = from; i < to; i++)
        bytes += moat_pages_resident(slots[i]->limit,
                                     (slots[i]->base + 4095) & ~4095UL);
    return bytes;
}

static size_t trim(size_t keep)
{
    size_t released = 0;

    assert_int_equal(moat_trim(keep, &released), MOAT_OK);
    return released;
}

/* Returns whether the entry is mapped. Writes to its last byte, which is
 * unused. */
static bool has_entry(const struct moat_slot *slot)
{
    return getrandom((char *)moat_slot_entry(slot) + 63, 1, GRND_NONBLOCK) == 1;
}

/* Checks that the kernel cannot write to it. */
static bool is_guarded(const struct moat_slot *slot)
{
    errno = 0;
    return getrandom((void *)(slot->limit - 1), 1, GRND_NONBLOCK) == -1 &&
           errno == EFAULT;
}

static void idle_slots_lose_their_memory_and_others_keep_it(void **state)
{
    struct moat_slot *slot;

    configure(*state, 0, 0);
    take(0, SLOTS);
    give(10, 20);
    assert_int_equal(trim(0), 10 * TWO_PAGES);
    assert_int_equal(resident(10, 20), 0);
    assert_int_equal(moat_pages_resident((uintptr_t)moat_slot_cold(slots[10]),
                                         (uintptr_t)moat_slot_cold(slots[19])),
                     0);
    assert_int_equal(resident(0, 10), 10 * TWO_PAGES);
    assert_int_equal(resident(20, SLOTS), (SLOTS - 20) * TWO_PAGES);
    assert_int_equal(*(char *)(slots[9]->base - 1), 1);
    assert_int_equal(*(char *)moat_slot_cold(slots[9]), 1);
    assert_int_equal(*(char *)moat_slot_cold(slots[20]), 1);
    assert_int_equal(trim(0), 0);
    /* They are reused, guarded, before new slots are made. */
    slot = slots[10];
    take(10, 20);
    assert_ptr_equal(slots[10], slot);
    assert_true(is_guarded(slot));
    assert_int_equal(resident(10, 20), 10 * TWO_PAGES);
    moat_arena_release_all();
}

static void the_newest_are_kept(void **state)
{
    configure(*state, 0, 0);
    take(0, SLOTS);
    give(10, 20);
    assert_int_equal(trim(4 * TWO_PAGES + 4096), 6 * TWO_PAGES);
    assert_int_equal(resident(10, 14), 4 * TWO_PAGES);
    assert_int_equal(resident(14, 20), 0);
    /* Slots that have memory are taken first. */
    {
        struct moat_slot *kept = slots[13], *bare = slots[14];

        take(10, 15);
        assert_ptr_equal(slots[13], kept);
        assert_ptr_equal(slots[14], bare);
    }
    moat_arena_release_all();
}

/* Slots 0 to 63 are the first arena, the others the second. */
static void an_arena_without_users_is_emptied(void **state)
{
    struct moat_slot *slot;
    uintptr_t entry;

    configure(*state, 0, 0);
    take(0, SLOTS);
    slot = slots[0];
    entry = (uintptr_t)moat_slot_entry(slot);
    give(0, 64);
    assert_true(trim(0) >= 64 * (TWO_PAGES + COLD));
    /* The entries are released, too; the addresses still belong to the
     * arena. */
    assert_false(has_entry(slot));
    assert_int_equal(moat_arena_region(entry, NULL), MOAT_REGION_ARENA);
    assert_int_equal(trim(0), 0);
    assert_int_equal(resident(64, SLOTS), (SLOTS - 64) * TWO_PAGES);
    take(0, 64);
    assert_ptr_equal(slots[0], slot);
    for (size_t i = 0; i < 64; i++) {
        assert_true(is_guarded(slots[i]));
        assert_int_equal(((char *)slots[i]->limit)[1], 0);
        assert_int_equal(((char *)moat_slot_cold(slots[i]))[1], 0);
    }
    assert_int_equal(moat_arena_region(slot->guard, slots[70]),
                     MOAT_REGION_OTHER_GUARD);
    moat_arena_release_all();
}

static void what_was_trimmed_before_is_emptied_with_the_rest(void **state)
{
    struct moat_slot *slot;

    configure(*state, 0, 0);
    take(0, SLOTS);
    slot = slots[0];
    give(0, 63);
    assert_int_equal(trim(0), 63 * TWO_PAGES);
    give(63, 64);
    assert_true(trim(0) > TWO_PAGES); /* sidecars are counted, too */
    assert_false(has_entry(slot));
    take(0, 64);
    assert_int_equal(resident(0, 64), 64 * TWO_PAGES);
    moat_arena_release_all();
}

static void the_policy_keeps_so_much_of_idle_slots(void **state)
{
    configure(*state, 10 * TWO_PAGES, 0);
    take(0, SLOTS);
    give(0, 4);
    give(4, 10);
    assert_int_equal(resident(0, 10), 10 * TWO_PAGES);
    give(10, 20);
    assert_int_equal(resident(0, 10), 10 * TWO_PAGES);
    assert_int_equal(resident(10, 20), 0);
    assert_int_equal(resident(20, SLOTS), (SLOTS - 20) * TWO_PAGES);
    /* Slots that are taken make room. */
    take(0, 6);
    give(20, 26);
    assert_int_equal(resident(20, 26), 6 * TWO_PAGES);
    give(26, 27);
    assert_int_equal(resident(26, 27), 0);
    moat_arena_release_all();
}

static void what_a_trim_kept_counts_for_the_policy(void **state)
{
    configure(*state, 10 * TWO_PAGES, 0);
    take(0, SLOTS);
    give(0, 10);
    assert_int_equal(trim(4 * TWO_PAGES), 6 * TWO_PAGES);
    give(10, 16);
    assert_int_equal(resident(0, 4), 4 * TWO_PAGES);
    assert_int_equal(resident(10, 16), 6 * TWO_PAGES);
    give(16, 17);
    assert_int_equal(resident(16, 17), 0);
    moat_arena_release_all();
}

static void an_arena_of_which_some_was_kept_is_emptied_later(void **state)
{
    configure(*state, 0, 0);
    take(0, SLOTS);
    give(0, 64);
    assert_int_equal(trim(4 * TWO_PAGES), 60 * TWO_PAGES);
    assert_int_equal(resident(0, 4), 4 * TWO_PAGES);
    assert_true(has_entry(slots[0]));
    assert_int_equal(trim(2 * TWO_PAGES), 2 * TWO_PAGES);
    assert_true(trim(0) >= 2 * TWO_PAGES);
    assert_false(has_entry(slots[0]));
    moat_arena_release_all();
}

static void the_policy_empties_arenas(void **state)
{
    configure(*state, 1, 0);
    take(0, SLOTS);
    give(0, 40);
    assert_true(has_entry(slots[0]));
    take(0, 40);
    give(0, 64);
    assert_false(has_entry(slots[0]));
    take(0, 64);
    assert_int_equal(resident(0, SLOTS), SLOTS * TWO_PAGES);
    moat_arena_release_all();
}

static void a_free_stack_keeps_so_much_at_its_top(void **state)
{
    static const size_t keeps[] = {1, 4096, 4097, USABLE + 4096, SIZE_MAX};
    static const size_t expected[] = {4096, 4096, 4096, 8192, 8192};

    for (size_t i = 0; i < sizeof keeps / sizeof keeps[0]; i++) {
        configure(*state, 0, keeps[i]);
        take(0, SLOTS);
        for (size_t j = 0; j < 100; j++)
            slots[j]->next = j < 99 ? slots[j + 1] : NULL;
        moat_trim_stacks(slots[0]);
        assert_int_equal(resident(0, 100), 100 * expected[i]);
        assert_int_equal(resident(100, SLOTS), (SLOTS - 100) * TWO_PAGES);
        assert_int_equal(*(char *)(slots[5]->base - 1), 1);
        moat_arena_release_all();
    }
}

static void used_slots_are_settled_some_at_a_time(void **state)
{
    struct moat_pool pool = {NULL};
    struct moat_slot *slot = NULL;

    configure(*state, 0, 4096);
    take(0, MOAT_USED_SLOTS);
    for (size_t i = 0; i < MOAT_USED_SLOTS - 1; i++)
        moat_pool_put_used(&pool, slots[i], i == 5);
    assert_int_equal(resident(0, 1), TWO_PAGES);
    moat_pool_put_used(&pool, slots[MOAT_USED_SLOTS - 1], false);
    assert_int_equal(resident(0, MOAT_USED_SLOTS),
                     MOAT_USED_SLOTS * moat_page_bytes());
    for (size_t i = MOAT_USED_SLOTS; i-- > 0;) {
        assert_int_equal(
            moat_pool_get(&pool, slots[i]->arena->stack_class, 1, &slot),
            MOAT_OK);
        assert_ptr_equal(slot, slots[i]);
        assert_int_equal(*(char *)(slot->base - 1), 0);
    }
    /* Waiting slots are settled when the pool is drained. */
    moat_pool_put_used(&pool, slots[0], false);
    *(volatile char *)slots[0]->limit = 1;
    moat_pool_drain(&pool);
    assert_int_equal(resident(0, 1), moat_page_bytes());
    moat_arena_release_all();
}

static void a_large_stack_does_not_wait(void **state)
{
    struct moat_stack_class *stack_class = NULL;
    struct moat_pool pool = {NULL};
    struct moat_slot *slot = NULL;

    configure(*state, 0, 0);
    assert_int_equal(moat_stack_class_get(MOAT_USED_BYTES, GUARD, &stack_class),
                     MOAT_OK);
    assert_int_equal(moat_pool_get(&pool, stack_class, 1, &slot), MOAT_OK);
    *(volatile char *)slot->limit = 1;
    moat_pool_put_used(&pool, slot, true);
    assert_int_equal(*(char *)slot->limit, 0);
    moat_pool_drain(&pool);
    moat_arena_release_all();
}

/* Memory that cannot be dropped stays with its slot. AddressSanitizer's mlock
 * does nothing. */
static void locked_stacks_stay(void **state)
{
    size_t released = 0;

    configure(*state, 0, 0);
    take(0, SLOTS);
    if (syscall(SYS_mlock, slots[3]->limit, TWO_PAGES) != 0)
        skip_for("no memory can be locked");
    give(3, 5);
    assert_int_equal(moat_trim(0, &released), MOAT_E_SYSTEM);
    assert_int_equal(released, 0);
    take(3, 5);
    assert_int_equal(syscall(SYS_munlock, slots[3]->limit, TWO_PAGES), 0);
    give(3, 5);
    assert_true(trim(0) >= 2 * TWO_PAGES);
    moat_arena_release_all();
}

static bool batch = true, one_by_one = false;

#define EACH(test)                           \
    cmocka_unit_test_prestate(test, &batch), \
        cmocka_unit_test_prestate(test, &one_by_one)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(idle_slots_lose_their_memory_and_others_keep_it),
        EACH(the_newest_are_kept),
        EACH(an_arena_without_users_is_emptied),
        EACH(what_was_trimmed_before_is_emptied_with_the_rest),
        EACH(the_policy_keeps_so_much_of_idle_slots),
        EACH(what_a_trim_kept_counts_for_the_policy),
        EACH(an_arena_of_which_some_was_kept_is_emptied_later),
        EACH(the_policy_empties_arenas),
        EACH(a_free_stack_keeps_so_much_at_its_top),
        EACH(used_slots_are_settled_some_at_a_time),
        EACH(a_large_stack_does_not_wait),
        EACH(locked_stacks_stay),
    };

    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
