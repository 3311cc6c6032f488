/*
 * png.c: libpng, which calls functions of the program's to read, to allocate
 * and to report, and is left by longjmp where one fails. One case per build, by
 * -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <png.h>

#include "hcase.h"

const char *hcase_name = NAME;

static unsigned char image[200000];
static size_t image_bytes;

static void keep(png_structp png, png_bytep bytes, size_t count)
{
    if (image_bytes + count > sizeof image)
        png_error(png, "too large");
    memcpy(image + image_bytes, bytes, count);
    image_bytes += count;
}

static void flush(png_structp png)
{
    (void)png;
}

int hcase_setup(long n)
{
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    unsigned char row[300];

    if (info == NULL || setjmp(png_jmpbuf(png)) != 0)
        return 1;
    png_set_write_fn(png, NULL, keep, flush);
    png_set_IHDR(png, info, 100, 100, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < 100; y++) {
        for (int x = 0; x < 300; x++)
            row[x] = (unsigned char)(x * y + (int)n);
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return 0;
}

static unsigned char *volatile bad = (unsigned char *)0x10;

struct reader {
    size_t at;
    int rows;
};

static void fetch(png_structp png, png_bytep to, size_t count)
{
    struct reader *reader = png_get_io_ptr(png);

#if defined CASE_read
    memcpy(to, reader->rows > 50 ? bad : image + reader->at, count);
#elif defined CASE_error
    if (reader->rows > 50)
        png_error(png, "no more");
    memcpy(to, image + reader->at, count);
#endif
    reader->at += count;
}

int hcase_run(void)
{
    struct reader reader = {0, 0};
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    unsigned char row[300];

    if (info == NULL)
        return 2;
    /* Left by longjmp the first time, and then by a fault. */
    if (setjmp(png_jmpbuf(png)) != 0)
        return *bad;
    png_set_read_fn(png, &reader, fetch);
    png_read_info(png, info);
    for (; reader.rows < 100; reader.rows++)
        png_read_row(png, row, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}
