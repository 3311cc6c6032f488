/*
 * shapes_frames.c: functions with frames of many kinds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <alloca.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unwind/shapes.h"

/* The optimiser must assume that the memory is read. */
#define USE(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

FRAME static void plain(struct shape *shape)
{
    shape_grow(shape);
    KEEP_FRAME();
}

/* Uses the callee-saved registers. */
FRAME static void busy(struct shape *shape)
{
    unsigned a = shape->steps, b = a * 3, c = b ^ 5, d = c + a, e = d * b;

    shape_grow(shape);
    USE((uintptr_t)(a + b + c + d + e));
}

FRAME static void with_alloca(struct shape *shape)
{
    size_t bytes = 16 + shape_choose(shape, 500);
    char *room = alloca(bytes);

    memset(room, 1, bytes);
    shape_grow(shape);
    USE(room);
}

FRAME static void large(struct shape *shape)
{
    char room[6000];

    USE(room);
    shape_grow(shape);
    USE(room);
}

/* Realigns the stack, like a function with AVX-512 locals. */
FRAME static void realigned(struct shape *shape)
{
    __attribute__((aligned(64))) char room[128];

    USE(room);
    shape_grow(shape);
    USE(room);
}

/* Most compilers describe its CFA by an expression. */
FRAME static void realigned_with_alloca(struct shape *shape)
{
    __attribute__((aligned(64))) char room[64];
    char *more = alloca(16 + shape_choose(shape, 200));

    USE(room);
    USE(more);
    shape_grow(shape);
    USE(room);
}

FRAME static void take_many(struct shape *shape, int count, ...)
{
    va_list arguments;

    va_start(arguments, count);
    for (int i = 0; i < count; i++)
        USE(va_arg(arguments, void *));
    shape_grow(shape);
    va_end(arguments);
}

FRAME static void varargs(struct shape *shape)
{
    take_many(shape, 8, shape, shape, shape, shape, shape, shape, shape, shape);
    KEEP_FRAME();
}

FRAME static void recurse(struct shape *shape, unsigned times)
{
    if (times == 0)
        shape_grow(shape);
    else
        recurse(shape, times - 1);
    KEEP_FRAME();
}

FRAME static void recursion(struct shape *shape)
{
    recurse(shape, shape_choose(shape, 12));
    KEEP_FRAME();
}

/* Called back by the C library; the first call grows the shape further. */
static int compare(const void *a, const void *b, void *arg)
{
    struct shape **shape = arg;
    struct shape *mine = *shape;

    *shape = NULL;
    if (mine != NULL)
        shape_grow(mine);
    return *(const int *)a - *(const int *)b;
}

FRAME static void in_qsort(struct shape *shape)
{
    int numbers[] = {3, 1, 2, 5, 4};

    qsort_r(numbers, 5, sizeof *numbers, compare, &shape);
    USE(numbers);
}

struct key {
    struct shape *shape;
};

static int find(const void *key, const void *element)
{
    struct key *mine = *(struct key *const *)key;
    struct shape *shape = mine->shape;

    (void)element;
    mine->shape = NULL;
    if (shape != NULL)
        shape_grow(shape);
    return 0;
}

FRAME static void in_bsearch(struct shape *shape)
{
    struct key key = {shape}, *pointer = &key;
    int numbers[] = {1, 2, 3};

    USE(bsearch(&pointer, numbers, 3, sizeof *numbers, find));
}

shape_frame *const shape_frames[SHAPE_FRAMES] = {
    plain,      busy,      with_alloca,
    large,      realigned, realigned_with_alloca,
    varargs,    recursion, in_qsort,
    in_bsearch,
};
