/*
 * test_arena.c: the layout of slots in arenas, and the classification of
 * addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>

#include "stack/arena.h"
#include "stack/guard_choice.h"
#include "stack/trim.h"
#include "sys/size.h"

#define ENTRY_BYTES 128
#define SLOT_OFFSET 32
#define COLD_BYTES  192
#define USABLE      ((size_t)16 << 10)
#define GUARD       ((size_t)8 << 10)
#define SLOTS       200 /* more than the first arena of a class holds */

static void configure(void)
{
    struct moat_arena_layout layout = {ENTRY_BYTES, SLOT_OFFSET, COLD_BYTES,
                                       MOAT_GUARD_AUTO, NULL};

    assert_int_equal(moat_guard_choose(MOAT_GUARD_AUTO, &layout.guard),
                     MOAT_OK);
    moat_arena_layout = layout;
}

static struct moat_stack_class *get_class(size_t usable, size_t guard)
{
    struct moat_stack_class *stack_class = NULL;

    assert_int_equal(moat_stack_class_get(usable, guard, &stack_class),
                     MOAT_OK);
    assert_non_null(stack_class);
    return stack_class;
}

static void take_all(struct moat_slot **slots)
{
    struct moat_stack_class *stack_class = get_class(USABLE, GUARD);

    for (size_t i = 0; i < SLOTS; i++)
        assert_int_equal(moat_slots_take(stack_class, 1, &slots[i]), MOAT_OK);
}

static void classes_are_found_again(void **state)
{
    (void)state;
    configure();
    assert_ptr_equal(get_class(USABLE, GUARD), get_class(USABLE, GUARD));
    assert_ptr_not_equal(get_class(USABLE, GUARD),
                         get_class(USABLE, 2 * GUARD));
    assert_ptr_not_equal(get_class(USABLE, GUARD),
                         get_class(2 * USABLE, GUARD));
    moat_arena_release_all();
}

static void slots_have_what_was_asked_for(void **state)
{
    struct moat_slot *slots[SLOTS];

    (void)state;
    configure();
    take_all(slots);
    for (size_t i = 0; i < SLOTS; i++) {
        assert_true(slots[i]->base - slots[i]->limit >= USABLE);
        assert_true(slots[i]->limit - slots[i]->guard >= GUARD);
        assert_int_equal(slots[i]->base % 64, 0);
        assert_int_equal(slots[i]->limit % moat_page_bytes(), 0);
        memset((void *)slots[i]->limit, 0x5a, slots[i]->base - slots[i]->limit);
    }
    moat_arena_release_all();
}

static void the_stride_is_odd_and_tops_are_coloured(void **state)
{
    struct moat_slot *slots[SLOTS];
    uintptr_t stride;

    (void)state;
    configure();
    take_all(slots);
    stride = slots[0]->guard - slots[1]->guard;
    assert_int_equal(stride / moat_page_bytes() % 2, 1);
    assert_true(slots[0]->base % moat_page_bytes() !=
                slots[1]->base % moat_page_bytes());
    moat_arena_release_all();
}

static void sidecars_are_zero_apart_and_found(void **state)
{
    static const char zeros[COLD_BYTES];
    struct moat_slot *slots[SLOTS];

    (void)state;
    configure();
    take_all(slots);
    for (size_t i = 0; i < SLOTS; i++) {
        char *entry = moat_slot_entry(slots[i]);
        char *cold = moat_slot_cold(slots[i]);

        assert_ptr_equal(entry + SLOT_OFFSET, slots[i]);
        assert_memory_equal(cold, zeros, COLD_BYTES);
        assert_int_equal((uintptr_t)entry % 64, 0);
        memset(cold, 0x77, COLD_BYTES);
        assert_true((uintptr_t)entry < slots[i]->guard ||
                    (uintptr_t)entry >= slots[i]->base);
    }
    moat_arena_release_all();
}

static void regions_are_told_from_the_owner(void **state)
{
    struct moat_slot *slots[SLOTS];
    const struct moat_slot *own, *other;

    (void)state;
    configure();
    take_all(slots);
    own = slots[3];
    other = slots[150]; /* in another arena */
    assert_int_equal(moat_arena_region(own->guard, own), MOAT_REGION_OWN_GUARD);
    assert_int_equal(moat_arena_region(own->limit - 1, own),
                     MOAT_REGION_OWN_GUARD);
    assert_int_equal(moat_arena_region(own->limit, own), MOAT_REGION_OWN_STACK);
    assert_int_equal(moat_arena_region(own->base - 1, own),
                     MOAT_REGION_OWN_STACK);
    assert_int_equal(moat_arena_region(other->guard, own),
                     MOAT_REGION_OTHER_GUARD);
    assert_int_equal(moat_arena_region(other->limit - 1, own),
                     MOAT_REGION_OTHER_GUARD);
    assert_int_equal(moat_arena_region(other->limit, own),
                     MOAT_REGION_OTHER_STACK);
    assert_int_equal(moat_arena_region(other->base - 1, NULL),
                     MOAT_REGION_OTHER_STACK);
    assert_int_equal(moat_arena_region(slots[SLOTS - 1]->guard - 1, own),
                     MOAT_REGION_ARENA);
    assert_int_equal(moat_arena_region((uintptr_t)moat_slot_entry(own), own),
                     MOAT_REGION_ARENA);
    assert_int_equal(moat_arena_region((uintptr_t)&slots, own),
                     MOAT_REGION_UNKNOWN);
    assert_int_equal(moat_arena_region(0, own), MOAT_REGION_UNKNOWN);
    assert_int_equal(moat_arena_region(UINTPTR_MAX, own), MOAT_REGION_UNKNOWN);
    moat_arena_release_all();
    assert_int_equal(moat_arena_region((uintptr_t)&slots, NULL),
                     MOAT_REGION_UNKNOWN);
}

static void what_was_given_back_is_taken_first(void **state)
{
    struct moat_stack_class *stack_class;
    struct moat_slot *slots[SLOTS], *again = NULL;

    (void)state;
    configure();
    take_all(slots);
    stack_class = slots[0]->arena->stack_class;
    assert_ptr_equal(stack_class, get_class(USABLE, GUARD));
    slots[5]->next = slots[9];
    moat_trim_return(slots[5]);
    assert_int_equal(moat_slots_take(stack_class, 1, &again), MOAT_OK);
    assert_ptr_equal(again, slots[5]);
    assert_null(again->next);
    assert_int_equal(moat_slots_take(stack_class, 1, &again), MOAT_OK);
    assert_ptr_equal(again, slots[9]);
    assert_int_equal(moat_slots_take(stack_class, 1, &again), MOAT_OK);
    assert_ptr_not_equal(again, slots[5]);
    moat_arena_release_all();
}

/* Each call returns a chain. Together the slots are neighbours, from the top
 * down, in as many arenas as needed. */
static void chains_of_new_slots_are_whole(void **state)
{
    struct moat_stack_class *stack_class;
    const struct moat_slot *last = NULL;
    size_t count = 0;

    (void)state;
    configure();
    stack_class = get_class(USABLE, GUARD);
    while (count < SLOTS) {
        struct moat_slot *slot = NULL;
        size_t most = SLOTS - count;

        assert_int_equal(moat_slots_take(stack_class, most, &slot), MOAT_OK);
        for (; slot != NULL; last = slot, slot = slot->next, count++) {
            memset((void *)slot->limit, 0x5a, slot->base - slot->limit);
            assert_int_equal(moat_arena_region(slot->guard, slot),
                             MOAT_REGION_OWN_GUARD);
            if (last != NULL && last->arena == slot->arena)
                assert_true(last->guard == moat_slot_top(slot));
        }
    }
    assert_int_equal(count, SLOTS);
    moat_arena_release_all();
}

/* As many as requested are taken, and new slots follow them. */
static void what_was_given_back_is_taken_as_a_chain(void **state)
{
    struct moat_slot *slots[SLOTS], *chain = NULL;
    struct moat_stack_class *stack_class;

    (void)state;
    configure();
    take_all(slots);
    stack_class = slots[0]->arena->stack_class;
    slots[5]->next = slots[9];
    slots[9]->next = slots[7];
    moat_trim_return(slots[5]);
    assert_int_equal(moat_slots_take(stack_class, 2, &chain), MOAT_OK);
    assert_ptr_equal(chain, slots[5]);
    assert_ptr_equal(chain->next, slots[9]);
    assert_null(slots[9]->next);
    assert_int_equal(moat_slots_take(stack_class, 2, &chain), MOAT_OK);
    assert_ptr_equal(chain, slots[7]);
    assert_null(chain->next);
    moat_arena_release_all();
}

static void a_stack_beyond_the_address_space_is_no_memory(void **state)
{
    struct moat_slot *slot = NULL;

    (void)state;
    configure();
    assert_int_equal(
        moat_slots_take(get_class((size_t)1 << 62, moat_page_bytes()), 1,
                        &slot),
        MOAT_E_NOMEM);
    assert_null(slot);
    moat_arena_release_all();
}

static void a_class_whose_stride_overflows_is_refused(void **state)
{
    struct moat_stack_class *stack_class = NULL;

    (void)state;
    configure();
    assert_int_equal(moat_stack_class_get(SIZE_MAX - moat_page_bytes() + 1,
                                          moat_page_bytes(), &stack_class),
                     MOAT_E_INVAL);
    assert_null(stack_class);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_found_again),
        cmocka_unit_test(slots_have_what_was_asked_for),
        cmocka_unit_test(the_stride_is_odd_and_tops_are_coloured),
        cmocka_unit_test(sidecars_are_zero_apart_and_found),
        cmocka_unit_test(regions_are_told_from_the_owner),
        cmocka_unit_test(what_was_given_back_is_taken_first),
        cmocka_unit_test(chains_of_new_slots_are_whole),
        cmocka_unit_test(what_was_given_back_is_taken_as_a_chain),
        cmocka_unit_test(a_stack_beyond_the_address_space_is_no_memory),
        cmocka_unit_test(a_class_whose_stride_overflows_is_refused),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
