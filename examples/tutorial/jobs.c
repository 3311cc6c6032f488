/*
 * jobs.c: the guest of the tutorial. Each function but one has a bug.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

static long sum(const char *text, long *count)
{
    long total = 0;
    char *end;

    *count = 0;
    for (;;) {
        long number = strtol(text, &end, 10);

        if (end == text)
            return total;
        total += number;
        ++*count;
        text = end;
    }
}

/* No numbers: divides by zero. */
static long mean(const char *text)
{
    long count;
    long total = sum(text, &count);

    return total / count;
}

/* No colon: reads address 1. */
static long port(const char *text)
{
    const char *digit = strchr(text, ':') + 1;
    long number = 0;

    while (*digit >= '0' && *digit <= '9')
        number = 10 * number + (*digit++ - '0');
    return number;
}

/* A negative number: recurses for ever. */
static long fibonacci(long n)
{
    if (n == 0 || n == 1)
        return n;
    return fibonacci(n - 1) + fibonacci(n - 2);
}

/* A negative exponent: loops for ever. */
static long power(const char *text)
{
    char *end;
    unsigned long base = strtoul(text, &end, 10);
    unsigned long result = 1;

    for (long exponent = strtol(end, NULL, 10); exponent != 0; exponent--)
        result *= base;
    return (long)result;
}

long run_job(const char *line)
{
    const char *text = line + strcspn(line, " ");
    long count;

    switch (line[0]) {
    case 's':
        return sum(text, &count);
    case 'm':
        return mean(text);
    case 'p':
        return line[2] == 'r' ? port(text) : power(text);
    case 'f':
        return fibonacci(strtol(text, NULL, 10));
    default:
        return 0;
    }
}
