/*
 * quantity.h: sizes, times and counts as people write them on a command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_QUANTITY_H
#define HOST_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one option takes. `zero` is what 0 means ("no limit"), NULL if 0 has no
 * meaning of its own. */
struct quantity {
    const char *option;
    enum quantity_noun { QUANTITY_SIZE, QUANTITY_TIME, QUANTITY_COUNT } noun;
    uint64_t least;
    uint64_t most;
    const char *least_text;
    const char *most_text;
    const char *zero;
};

/* Reads `text`; on failure says on stderr which option, which value and which
 * limit, and leaves *out alone. */
bool quantity_parse(const struct quantity *kind, const char *text,
                    uint64_t *out);

/* "12.3 ms", "4.0 KiB" in `buffer`, which is also returned. */
char *quantity_time_text(uint64_t ns, char *buffer, size_t size);
char *quantity_size_text(uint64_t bytes, char *buffer, size_t size);

#endif
