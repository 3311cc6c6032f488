/*
 * quantity.c: reads and writes sizes and times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "usage.h"

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}, {NULL, 0}};
static const struct unit time_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

static const struct {
    const struct unit *units;
    const char *form;
} nouns[] = {
    [QUANTITY_SIZE] = {size_units, "a size: write a whole number of bytes, or "
                                   "one followed by K, M or G"},
    [QUANTITY_TIME] = {time_units, "a time: write a whole number followed by "
                                   "ns, us, ms or s"},
    [QUANTITY_COUNT] = {count_units, "a whole number"},
};

enum reading { READ, READ_GARBAGE, READ_OVERFLOW };

static const struct unit *find_unit(const struct unit *units,
                                    const char *suffix)
{
    for (; units->suffix != NULL; units++)
        if (strcmp(units->suffix, suffix) == 0)
            return units;
    return NULL;
}

static enum reading read_number(const char *text, const struct unit *units,
                                uint64_t *out)
{
    const struct unit *unit;
    const char *p = text;
    uint64_t value = 0;
    bool overflow = false;

    for (; *p >= '0' && *p <= '9'; p++) {
        overflow |= __builtin_mul_overflow(value, 10u, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
    }
    if (p == text)
        return READ_GARBAGE;
    unit = find_unit(units, p);
    /* Zero is zero in any unit. */
    if (unit == NULL)
        return (*p == '\0' && value == 0 && !overflow) ? (*out = 0, READ)
                                                       : READ_GARBAGE;
    overflow |= __builtin_mul_overflow(value, unit->factor, &value);
    *out = value;
    return overflow ? READ_OVERFLOW : READ;
}

static bool refuse(const struct quantity *kind, const char *text,
                   const char *what, const char *limit)
{
    bool zero = kind->zero != NULL;

    return complain("run", "%s: '%s' is %s%s%s%s%s", kind->option, text, what,
                    limit, zero ? " (0: " : "", zero ? kind->zero : "",
                    zero ? ")" : "");
}

bool quantity_parse(const struct quantity *kind, const char *text,
                    uint64_t *out)
{
    uint64_t value = 0;
    enum reading how = read_number(text, nouns[kind->noun].units, &value);

    if (how == READ_GARBAGE)
        return refuse(kind, text, "not ", nouns[kind->noun].form);
    if (how == READ_OVERFLOW || value > kind->max)
        return refuse(kind, text, "too large: at most ", kind->max_text);
    if (value < kind->min && !(value == 0 && kind->zero != NULL))
        return refuse(kind, text, "too small: at least ", kind->min_text);
    *out = value;
    return true;
}

char *quantity_time_text(uint64_t ns, char *buffer, size_t size)
{
    if (ns < 1000)
        snprintf(buffer, size, "%" PRIu64 " ns", ns);
    else if (ns < 1000000)
        snprintf(buffer, size, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        snprintf(buffer, size, "%.1f ms", (double)ns / 1e6);
    else
        snprintf(buffer, size, "%.2f s", (double)ns / 1e9);
    return buffer;
}

char *quantity_size_text(uint64_t bytes, char *buffer, size_t size)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < sizeof(names) / sizeof(names[0])) {
        value /= 1024;
        i++;
    }
    snprintf(buffer, size, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
    return buffer;
}
