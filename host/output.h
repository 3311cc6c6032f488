/*
 * output.h: the output of `moat run`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_OUTPUT_H
#define HOST_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "script.h"

/* Returns the stream of verdicts, messages and reports: standard output, or
 * with --raw standard error. */
FILE *output_stream(const struct run_options *options);

/*
 * Writes a script's output, its verdict, and its error or trap. Each line of
 * the output begins with "| ", after the script's name if there are several.
 * The details of a verdict are indented. So only moat writes a line that begins
 * with a name and ": ". With --raw the output goes to standard output as it is,
 * and all else to standard error.
 */
void output_text(const struct result *result,
                 const struct run_options *options);

/* Writes an error message if the core file could not be written. */
void output_core_error(const struct result *result);

/* Writes a JSON object on one line. */
void output_json(const struct result *result,
                 const struct run_options *options);

/* The last line: how many scripts had which verdict in their last run. */
struct tally {
    struct {
        const char *verdict;
        size_t count;
    } kinds[32];
    size_t kind_count;
    size_t scripts;
    size_t bad; /* not ok, or down after too many restarts */
    size_t restarts;
};

void tally_add(struct tally *tally, const struct result *result);
void tally_write(const struct tally *tally, FILE *out);

/* The progress line on the terminal. */
void progress_show(size_t done, size_t all, const char *file);
void progress_clear(void);

#endif
