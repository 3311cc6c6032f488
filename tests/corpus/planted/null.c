/*
 * null.c: a plain case: a null pointer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = "null";

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    static int *volatile nowhere;

    return *nowhere;
}
