/*
 * unwinder_none.c: stands for libunwind in a build without it: there is nothing
 * to tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/unwinder.h"

static void publish(void *memory, const struct moat_piece *pieces, size_t count)
{
    (void)memory;
    (void)pieces;
    (void)count;
}

static void withdraw(void *memory)
{
    (void)memory;
}

const struct moat_unwinder moat_unwinder_libunwind = {
    .publish = publish,
    .withdraw = withdraw,
};
