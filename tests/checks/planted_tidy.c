/*
 * planted_tidy.c: a bug that clang-tidy must report; never linked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

int planted_tidy(const int *number);

int planted_tidy(const int *number)
{
    if (number == NULL)
        return *number;
    return 0;
}
