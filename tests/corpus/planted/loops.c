/*
 * loops.c: a case that never ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = "loops";

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    for (volatile int i = 0;; i = !i)
        continue;
}
