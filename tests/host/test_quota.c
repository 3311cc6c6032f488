/*
 * test_quota.c: the scripts' allocator against a model, and against its bound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quota.h"

#define SLOTS 512
#define ARENA ((size_t)1 << 20)

struct slot {
    unsigned char *text;
    size_t bytes;
    unsigned char fill;
};

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static size_t random_size(void)
{
    switch (next_random() % 8) {
    case 0:
        return next_random() % 60000 + 1;
    case 1:
        return next_random() % 4000 + 1;
    default:
        return next_random() % 200 + 1;
    }
}

static void check_slot(const struct slot *slot)
{
    for (size_t i = 0; i < slot->bytes; i++)
        assert_int_equal(slot->text[i], slot->fill);
}

static void resize(struct quota *quota, struct slot *slot, size_t bytes)
{
    size_t kept = bytes < slot->bytes ? bytes : slot->bytes;
    unsigned char *text = quota_realloc(quota, slot->text, slot->bytes, bytes);

    if (text == NULL && bytes > slot->bytes)
        return; /* refused: the old block stands */
    assert_true(text != NULL || bytes == 0);
    assert_int_equal((uintptr_t)text % 16, 0);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(text[i], slot->fill);
    slot->text = text;
    slot->bytes = bytes;
    slot->fill = (unsigned char)next_random();
    if (bytes != 0)
        memset(text, slot->fill, bytes);
}

static void blocks_keep_their_contents(void **state)
{
    static struct slot slots[SLOTS];
    struct quota quota;

    (void)state;
    assert_true(quota_open(&quota, ARENA));
    for (int i = 0; i < 60000; i++) {
        struct slot *slot = &slots[next_random() % SLOTS];

        check_slot(slot);
        resize(&quota, slot, next_random() % 3 == 0 ? 0 : random_size());
        assert_true(quota.live <= ARENA && quota.live <= quota.peak);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        check_slot(&slots[i]);
        resize(&quota, &slots[i], 0);
    }
    assert_int_equal(quota.live, 0);
    quota_close(&quota);
}

/* Whatever happened before, an empty arena is one block again. */
static void empty_arena_is_whole(void **state)
{
    struct quota quota;
    void *blocks[100];
    void *whole;

    (void)state;
    assert_true(quota_open(&quota, ARENA));
    for (size_t i = 0; i < 100; i++)
        blocks[i] = quota_realloc(&quota, NULL, 0, 1000 + i * 37);
    for (size_t i = 0; i < 100; i += 2)
        quota_realloc(&quota, blocks[i], 1000 + i * 37, 0);
    for (size_t i = 1; i < 100; i += 2)
        quota_realloc(&quota, blocks[i], 1000 + i * 37, 0);
    whole = quota_realloc(&quota, NULL, 0, ARENA - 32);
    assert_non_null(whole);
    assert_null(quota_realloc(&quota, NULL, 0, 16));
    quota_close(&quota);
}

static void refuses_what_does_not_fit(void **state)
{
    static const size_t absurd[] = {ARENA, ARENA + 1, SIZE_MAX - 64, SIZE_MAX};
    struct quota quota;
    char *block;

    (void)state;
    assert_true(quota_open(&quota, ARENA));
    block = quota_realloc(&quota, NULL, 0, 100);
    assert_non_null(block);
    memset(block, 7, 100);
    for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        assert_null(quota_realloc(&quota, NULL, 0, absurd[i]));
        assert_null(quota_realloc(&quota, block, 100, absurd[i]));
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(block[i], 7);
    assert_null(quota_realloc(&quota, NULL, 0, 0));
    quota_close(&quota);
}

static void opens_and_closes(void **state)
{
    struct quota quota;

    (void)state;
    assert_false(quota_open(&quota, (size_t)1 << 62));
    quota_close(&quota);
    assert_true(quota_open(&quota, 1));
    assert_int_equal(quota.bytes, 4096);
    assert_non_null(quota_realloc(&quota, NULL, 0, 4000));
    quota_close(&quota);
    assert_null(quota.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_their_contents),
        cmocka_unit_test(empty_arena_is_whole),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(opens_and_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
