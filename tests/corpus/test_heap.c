/*
 * test_heap.c: tests the heap of the corpus's runner.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heap.h"

#define RANGE_BYTES ((size_t)1 << 20)

static _Alignas(4096) char range[RANGE_BYTES];

static struct heap *fresh(void)
{
    memset(range, 0, sizeof range);
    return heap_make(range, sizeof range);
}

static void blocks_are_apart_aligned_and_whole(void **state)
{
    struct heap *heap = fresh();
    unsigned char *blocks[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        size_t align = (size_t)1 << (4 + i % 8);

        blocks[i] = heap_take(heap, align, i * 37, false);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % align, 0);
        assert_int_equal(heap_size(blocks[i]), i * 37);
        memset(blocks[i], (int)i, i * 37);
    }
    for (size_t i = 0; i < 64; i++) {
        assert_true(heap_owns(heap, blocks[i]));
        for (size_t at = 0; at < i * 37; at++)
            assert_int_equal(blocks[i][at], i);
        heap_give(heap, blocks[i]);
    }
}

static void memory_serves_again(void **state)
{
    struct heap *heap = fresh();
    size_t used = 0;

    (void)state;
    for (size_t bytes = 1; bytes < 9000; bytes += 61) {
        for (int i = 0; i < 100; i++) {
            void *block = heap_take(heap, 16, bytes, false);

            assert_non_null(block);
            memset(block, 0xee, bytes);
            if (i == 0)
                used = heap_used(heap);
            heap_give(heap, block);
        }
        assert_int_equal(heap_used(heap), used);
    }
}

static void a_full_range_gives_null(void **state)
{
    struct heap *heap = fresh();
    size_t blocks = 0;

    (void)state;
    while (heap_take(heap, 16, 5000, false) != NULL)
        blocks++;
    assert_in_range(blocks, RANGE_BYTES / 6400, RANGE_BYTES / 5000);
    assert_null(heap_take(heap, 16, SIZE_MAX - 100, false));
    assert_non_null(heap_take(heap, 16, 1, false));
}

static void zeroed_is_zeroed(void **state)
{
    struct heap *heap = fresh();
    char *block = heap_take(heap, 16, 500, false);

    (void)state;
    memset(block, 1, 500);
    heap_give(heap, block);
    block = heap_take(heap, 16, 490, true);
    for (size_t i = 0; i < 490; i++)
        assert_int_equal(block[i], 0);
}

static void resizing_keeps_what_fits(void **state)
{
    struct heap *heap = fresh();
    char *block = heap_take(heap, 16, 10, false);

    (void)state;
    memcpy(block, "0123456789", 10);
    for (size_t bytes = 11; bytes < 20000; bytes += bytes / 3) {
        block = heap_resize(heap, block, bytes);
        assert_non_null(block);
        assert_int_equal(heap_size(block), bytes);
        assert_memory_equal(block, "0123456789", 10);
        assert_true(heap_owns(heap, block));
    }
    block = heap_resize(heap, block, 5);
    assert_memory_equal(block, "01234", 5);
    assert_true(heap_owns(heap, block));
}

static void a_pointer_that_is_no_block_is_detected(void **state)
{
    struct heap *heap = fresh();
    char *block = heap_take(heap, 16, 100, false);

    (void)state;
    assert_true(heap_owns(heap, block));
    assert_false(heap_owns(heap, block + 16));
    assert_false(heap_owns(heap, block + 8));
    assert_false(heap_owns(heap, range));
    assert_false(heap_owns(heap, block + 4096));
    block[100] = 1;
    assert_false(heap_owns(heap, block));
    block = heap_take(heap, 16, 100, false);
    heap_give(heap, block);
    assert_false(heap_owns(heap, block));
}

static void a_freed_blocks_contents_do_no_harm(void **state)
{
    struct heap *heap = fresh();
    char *first = heap_take(heap, 16, 64, false);
    char *second = heap_take(heap, 16, 64, false);

    (void)state;
    heap_give(heap, first);
    heap_give(heap, second);
    memset(first, 0xff, 64);
    memset(second, 0xff, 64);
    assert_ptr_equal(heap_take(heap, 16, 64, false), second);
    assert_ptr_equal(heap_take(heap, 16, 64, false), first);
}

static void only_what_is_reached_stays(void **state)
{
    struct heap *heap = fresh();
    uintptr_t **root = heap_take(heap, 16, 64, true);
    uintptr_t *inner = heap_take(heap, 16, 64, true);
    void *alone = heap_take(heap, 16, 64, true);
    void *hidden = heap_take(heap, 16, 3000, true);
    uintptr_t words[3] = {0, (uintptr_t)root, 0x1234};
    struct heap_root roots[] = {{words, 3}};

    (void)state;
    root[3] = inner + 2; /* points into the block */
    inner[0] = (uintptr_t)root;
    *(void **)hidden = inner;
    heap_collect(heap, roots, 1);
    assert_true(heap_owns(heap, root));
    assert_true(heap_owns(heap, inner));
    assert_false(heap_owns(heap, alone));
    assert_false(heap_owns(heap, hidden));
    words[1] = 0;
    heap_collect(heap, roots, 1);
    assert_false(heap_owns(heap, root));
    heap_collect(heap, roots, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_apart_aligned_and_whole),
        cmocka_unit_test(memory_serves_again),
        cmocka_unit_test(a_full_range_gives_null),
        cmocka_unit_test(zeroed_is_zeroed),
        cmocka_unit_test(resizing_keeps_what_fits),
        cmocka_unit_test(a_pointer_that_is_no_block_is_detected),
        cmocka_unit_test(a_freed_blocks_contents_do_no_harm),
        cmocka_unit_test(only_what_is_reached_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
