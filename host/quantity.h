/*
 * quantity.h: sizes, times and counts on a command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_QUANTITY_H
#define HOST_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of an option. `zero` is the meaning of 0 ("no limit"), or NULL if 0
 * has no special meaning. */
struct quantity {
    const char *option;
    enum quantity_noun { QUANTITY_SIZE, QUANTITY_TIME, QUANTITY_COUNT } noun;
    uint64_t min;
    uint64_t max;
    const char *min_text;
    const char *max_text;
    const char *zero;
};

/* Parses `text`. On failure it writes an error message with the option, the
 * value and the limit, and leaves *out unchanged. */
bool quantity_parse(const struct quantity *kind, const char *text,
                    uint64_t *out);

/* Write "12.3 ms" or "4.0 KiB" to `buffer` and return it. */
char *quantity_time_text(uint64_t ns, char *buffer, size_t size);
char *quantity_size_text(uint64_t bytes, char *buffer, size_t size);

#endif
