/*
 * test_area.c: images of all sizes keep what is written to them, cost little
 * more than their size, and go back to the system.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <string.h>

#include "stack/area.h"

#define IMAGES 3000

static struct moat_area area;

static struct image {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
} images[IMAGES];

static void take(struct image *image, size_t size)
{
    image->size = size;
    image->mark = (unsigned char)(size * 31 + 1);
    image->bytes = moat_area_take(&area, size);
    assert_non_null(image->bytes);
    memset(image->bytes, image->mark, size);
}

static void check(const struct image *image)
{
    for (size_t i = 0; i < image->size; i++)
        assert_int_equal(image->bytes[i], image->mark);
}

static void give(struct image *image)
{
    check(image);
    moat_area_give(&area, image->bytes, image->size);
    image->bytes = NULL;
}

static void expect_nothing_left(void)
{
    assert_int_equal(area.image_bytes, 0);
    moat_area_settle(&area);
    assert_int_equal(area.mapped_bytes, 0);
    assert_null(area.chunks);
}

/* Each size up to some KiB, and those around the classes' bounds above. */
static void each_size(void **state)
{
    size_t size = 1;

    (void)state;
    while (size < (size_t)1 << 19) {
        size_t before = area.image_bytes, cost;

        take(&images[0], size);
        cost = area.image_bytes - before;
        assert_true(cost >= size);
        assert_true(size <= 1024 ? cost < size + 8 : cost < size + size / 7);
        take(&images[1], size);
        assert_true(images[1].bytes >= images[0].bytes + size ||
                    images[0].bytes >= images[1].bytes + size);
        give(&images[0]);
        give(&images[1]);
        size += size < 3000 ? 1 : size / 61;
    }
    expect_nothing_left();
}

static void random_sizes(void **state)
{
    unsigned random = 1;

    (void)state;
    for (int turn = 0; turn < 100000; turn++) {
        struct image *image;

        random = random * 1103515245u + 12345u;
        image = &images[(random >> 8) % IMAGES];
        if (image->bytes != NULL)
            give(image);
        else
            take(image, (random >> 4) % 2000 + 1);
    }
    for (size_t i = 0; i < IMAGES; i++) {
        if (images[i].bytes != NULL)
            give(&images[i]);
    }
    expect_nothing_left();
}

static void the_mapped_memory_is_little_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < IMAGES; i++)
        take(&images[i], 200);
    assert_int_equal(area.image_bytes, IMAGES * 200);
    assert_true(area.mapped_bytes < IMAGES * 200 + ((size_t)256 << 10));
    for (size_t i = 0; i < IMAGES; i++)
        give(&images[i]);
    expect_nothing_left();
}

static void move(struct image *image)
{
    unsigned char *to;

    if (!moat_area_should_move(image->bytes, image->size))
        return;
    to = moat_area_take(&area, image->size);
    assert_non_null(to);
    assert_false(moat_area_should_move(to, image->size));
    memcpy(to, image->bytes, image->size);
    give(image);
    image->bytes = to;
}

/* A few are left in each chunk: moved, they fit in as many as they need. */
static void thinned_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < IMAGES; i++)
        take(&images[i], 2000);
    for (size_t i = 0; i < IMAGES; i++) {
        if (i % 10 != 0)
            give(&images[i]);
    }
    assert_true(area.mapped_bytes > (size_t)5 << 20);
    assert_true(moat_area_thin_out(&area));
    for (size_t i = 0; i < IMAGES; i += 10)
        move(&images[i]);
    moat_area_settle(&area);
    assert_int_equal(area.mapped_bytes, (size_t)3 << 18);
    assert_false(moat_area_thin_out(&area));
    moat_area_settle(&area);
    for (size_t i = 0; i < IMAGES; i += 10)
        give(&images[i]);
    expect_nothing_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size),
        cmocka_unit_test(random_sizes),
        cmocka_unit_test(the_mapped_memory_is_little_more),
        cmocka_unit_test(thinned_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
