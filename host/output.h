/*
 * output.h: what `moat run` writes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_OUTPUT_H
#define HOST_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "script.h"

/* Writes what a script printed, its verdict, its error or trap. */
void output_text(const struct result *result, bool quiet);

/* Says on stderr that a core file could not be written, if so. */
void output_core_error(const struct result *result);

/* Writes one object on one line. */
void output_json(const struct result *result);

/* The line at the end: how many of which verdict. */
struct tally {
    struct {
        const char *verdict;
        size_t count;
    } kinds[32];
    size_t kind_count;
    size_t scripts;
    size_t bad; /* not ok */
};

void tally_add(struct tally *tally, const struct result *result);
void tally_write(const struct tally *tally, FILE *out);

/* A line on the terminal that says how far it is. */
void progress_show(size_t done, size_t all, const char *file);
void progress_clear(void);

#endif
