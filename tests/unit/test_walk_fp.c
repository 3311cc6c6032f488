/*
 * test_walk_fp.c: frame records in memory with arbitrary content: the walk
 * ends, and reads nothing outside its bounds.
 *
 * The image lies between two inaccessible pages, so that a read outside of it
 * ends the test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/size.h"
#include "unwind/frame_record.h"

#define WORDS       512
#define IMAGE_BYTES (WORDS * sizeof(uintptr_t))

static uintptr_t *image; /* at the beginning of a page */

struct seen {
    uintptr_t pc[WORDS], sp[WORDS];
    size_t count, stop_after;
};

static bool note(struct seen *seen, uintptr_t pc, uintptr_t sp)
{
    assert_true(seen->count < WORDS);
    seen->pc[seen->count] = pc;
    seen->sp[seen->count] = sp;
    seen->count++;
    return seen->count != seen->stop_after;
}

static void follow(uintptr_t fp, uintptr_t limit, uintptr_t base,
                   struct seen *seen)
{
    struct moat_frame_chain chain = {fp, limit, base};
    struct moat_frame_record record;

    while (moat_frame_chain_next(&chain, &record)) {
        if (!note(seen, record.pc, moat_frame_chain_pass(&chain, &record)))
            return;
    }
}

static uintptr_t at(size_t word)
{
    return (uintptr_t)&image[word];
}

static void put(size_t word, uintptr_t fp, uintptr_t pc)
{
    image[word] = fp;
    image[word + 1] = pc;
}

static struct seen walk(uintptr_t fp, size_t stop_after)
{
    struct seen seen;

    memset(&seen, 0, sizeof seen);
    seen.stop_after = stop_after;
    follow(fp, at(0), at(0) + IMAGE_BYTES, &seen);
    return seen;
}

static int make_image(void **state)
{
    char *memory = mmap(NULL, 3 * moat_page_bytes(), PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    if (memory == MAP_FAILED)
        return -1;
    image = (uintptr_t *)(void *)(memory + moat_page_bytes());
    return mprotect(image, moat_page_bytes(), PROT_READ | PROT_WRITE);
}

static void a_chain_is_followed(void **state)
{
    struct seen seen;

    (void)state;
    memset(image, 0, IMAGE_BYTES);
    put(10, at(20), 0x1001);
    put(20, at(WORDS - 2), 0x1002);
    put(WORDS - 2, 0, 0x1003);
    seen = walk(at(10), 0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.pc[0], 0x1001);
    assert_int_equal(seen.pc[2], 0x1003);
    assert_true(seen.sp[0] == at(12));
    assert_true(seen.sp[2] == at(0) + IMAGE_BYTES);
}

static void the_visitor_can_end_it(void **state)
{
    (void)state;
    memset(image, 0, IMAGE_BYTES);
    put(10, at(20), 0x1001);
    put(20, at(30), 0x1002);
    put(30, 0, 0x1003);
    assert_int_equal(walk(at(10), 2).count, 2);
}

static void a_loop_ends(void **state)
{
    (void)state;
    memset(image, 0, IMAGE_BYTES);
    put(10, at(10), 0x1001); /* to itself */
    assert_int_equal(walk(at(10), 0).count, 1);
    put(10, at(20), 0x1001); /* backwards */
    put(20, at(10), 0x1002);
    assert_int_equal(walk(at(10), 0).count, 2);
    put(10, at(11), 0x1001); /* overlapping */
    assert_int_equal(walk(at(10), 0).count, 1);
}

static void a_zero_pc_ends_it(void **state)
{
    (void)state;
    memset(image, 0, IMAGE_BYTES);
    put(10, at(20), 0);
    assert_int_equal(walk(at(10), 0).count, 0);
}

static void bad_starts_are_not_read(void **state)
{
    const uintptr_t starts[] = {0,
                                1,
                                at(0) - 1,
                                at(0) - 8,
                                at(0) - 16,
                                at(10) + 1,
                                at(10) + 4,
                                at(WORDS - 1),
                                at(0) + IMAGE_BYTES,
                                at(0) + IMAGE_BYTES - 1,
                                UINTPTR_MAX,
                                UINTPTR_MAX - 7,
                                (uintptr_t)1 << 63};

    (void)state;
    memset(image, 0x7f, IMAGE_BYTES);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        assert_int_equal(walk(starts[i], 0).count, 0);
}

/* Words that are addresses in the image or close to it, in any order. */
static void random_images_end(void **state)
{
    (void)state;
    srand(20240511);
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < WORDS; i++)
            image[i] = at(0) - 64 + (uintptr_t)rand() % (IMAGE_BYTES + 128);
        (void)walk(at((size_t)rand() % WORDS), 0);
        for (size_t i = 0; i < WORDS; i++)
            image[i] &= ~(uintptr_t)7;
        (void)walk(at((size_t)rand() % WORDS), 0);
    }
}

static void an_empty_range_has_no_record(void **state)
{
    struct seen seen;

    (void)state;
    memset(&seen, 0, sizeof seen);
    follow(at(4), at(4), at(4), &seen);
    follow(at(4), at(8), at(4), &seen);
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_followed),
        cmocka_unit_test(the_visitor_can_end_it),
        cmocka_unit_test(a_loop_ends),
        cmocka_unit_test(a_zero_pc_ends_it),
        cmocka_unit_test(bad_starts_are_not_read),
        cmocka_unit_test(random_images_end),
        cmocka_unit_test(an_empty_range_has_no_record),
    };

    return cmocka_run_group_tests_name("walk_fp", tests, make_image, NULL);
}
