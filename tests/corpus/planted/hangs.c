/*
 * hangs.c: a case that dies with a lock held that no frame reveals: the next
 * thread that prints waits for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = "hangs";

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    flockfile(stdout);
    abort();
}
