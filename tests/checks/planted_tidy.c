/*
 * planted_tidy.c: what clang-tidy must complain about; never linked.
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
