/*
 * test_pool.c: a thread's shelves: last in, first out, and never overfull.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdlib.h>

#include "stack/arena.h"
#include "stack/guard_choice.h"
#include "stack/pool.h"
#include "stack/slot.h"

#define MANY (MOAT_SHELF_SLOTS + 100)

static void configure(void)
{
    struct moat_arena_layout layout = {64, 0, 64, MOAT_GUARD_AUTO, NULL};

    assert_int_equal(moat_guard_choose(MOAT_GUARD_AUTO, &layout.guard),
                     MOAT_OK);
    moat_arena_layout = layout;
}

static struct moat_stack_class *get_class(size_t usable)
{
    struct moat_stack_class *stack_class = NULL;

    assert_int_equal(moat_stack_class_get(usable, 4096, &stack_class), MOAT_OK);
    return stack_class;
}

static struct moat_slot *get(struct moat_pool *pool, size_t usable)
{
    struct moat_slot *slot = NULL;

    assert_int_equal(moat_pool_get(pool, get_class(usable), 1, &slot), MOAT_OK);
    assert_non_null(slot);
    return slot;
}

static void reuse_is_last_in_first_out(void **state)
{
    struct moat_pool pool = {NULL};
    struct moat_slot *a, *b, *c;

    (void)state;
    configure();
    a = get(&pool, 4096);
    b = get(&pool, 4096);
    c = get(&pool, 8192);
    moat_pool_put(&pool, a);
    moat_pool_put(&pool, c);
    moat_pool_put(&pool, b);
    assert_ptr_equal(get(&pool, 4096), b);
    assert_ptr_equal(get(&pool, 4096), a);
    assert_ptr_equal(get(&pool, 8192), c);
    moat_pool_drain(&pool);
    moat_arena_release_all();
}

static void a_chain_is_taken_from_the_shelf_first(void **state)
{
    struct moat_pool pool = {NULL};
    struct moat_slot *a, *b, *c, *chain;

    (void)state;
    configure();
    a = get(&pool, 4096);
    b = get(&pool, 4096);
    c = get(&pool, 4096);
    moat_pool_put(&pool, a);
    moat_pool_put(&pool, b);
    moat_pool_put(&pool, c);
    assert_int_equal(moat_pool_get(&pool, get_class(4096), 2, &chain), MOAT_OK);
    assert_ptr_equal(chain, c);
    assert_ptr_equal(chain->next, b);
    assert_null(b->next);
    assert_int_equal(pool.shelves->count, 1);
    assert_int_equal(moat_pool_get(&pool, get_class(4096), 2, &chain), MOAT_OK);
    assert_ptr_equal(chain, a);
    assert_null(chain->next);
    assert_int_equal(pool.shelves->count, 0);
    moat_pool_drain(&pool);
    moat_arena_release_all();
}

static void a_drained_pool_leaves_its_slots_to_others(void **state)
{
    struct moat_pool mine = {NULL}, yours = {NULL};
    struct moat_slot *slot;

    (void)state;
    configure();
    slot = get(&mine, 4096);
    moat_pool_put(&mine, slot);
    assert_ptr_not_equal(get(&yours, 4096), slot);
    moat_pool_drain(&mine);
    assert_null(mine.shelves);
    assert_ptr_equal(get(&yours, 4096), slot);
    moat_pool_drain(&yours);
    moat_arena_release_all();
}

static void a_full_shelf_gives_its_older_half_to_everybody(void **state)
{
    static struct moat_slot *slots[MANY];
    struct moat_pool mine = {NULL}, yours = {NULL};

    (void)state;
    configure();
    for (size_t i = 0; i < MANY; i++)
        slots[i] = get(&mine, 4096);
    for (size_t i = 0; i < MANY; i++) {
        moat_pool_put(&mine, slots[i]);
        assert_true(mine.shelves->count <= MOAT_SHELF_SLOTS);
    }
    assert_int_equal(mine.shelves->count, MOAT_SHELF_SLOTS / 2 + 100);
    /* Another thread first receives the newest slot of the older half. */
    assert_ptr_equal(get(&yours, 4096), slots[MOAT_SHELF_SLOTS / 2 - 1]);
    for (size_t i = MANY; i-- > MOAT_SHELF_SLOTS / 2;)
        assert_ptr_equal(get(&mine, 4096), slots[i]);
    assert_int_equal(mine.shelves->count, 0);
    moat_pool_drain(&mine);
    moat_pool_drain(&yours);
    moat_arena_release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reuse_is_last_in_first_out),
        cmocka_unit_test(a_chain_is_taken_from_the_shelf_first),
        cmocka_unit_test(a_drained_pool_leaves_its_slots_to_others),
        cmocka_unit_test(a_full_shelf_gives_its_older_half_to_everybody),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
