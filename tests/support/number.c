/*
 * number.c: numbers on a test's command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "number.h"

#include <errno.h>
#include <stdlib.h>

unsigned long number_from(const char *text, unsigned long most)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
        value > most)
        return 0;
    return value;
}
