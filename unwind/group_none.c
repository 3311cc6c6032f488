/*
 * group_none.c: a build without libunwind tells it nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/publication.h"

static bool prepare(void *memory)
{
    (void)memory;
    return true;
}

static void publish(void *memory, const struct moat_piece *const *pieces,
                    size_t count)
{
    (void)memory;
    (void)pieces;
    (void)count;
}

static void withdraw(void *memory)
{
    (void)memory;
}

static void forget(void)
{
}

const struct moat_unwinder moat_unwinder_libunwind = {0, prepare, publish,
                                                      withdraw, forget};
