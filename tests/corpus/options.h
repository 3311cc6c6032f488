/*
 * options.h: the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_OPTIONS_H
#define CORPUS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "job.h"

struct options {
    size_t stack_bytes, guard_bytes;
    unsigned deadline_ms, hang_seconds, repetitions, phases;
    bool verbose;
    char **cases; /* PATH or PATH:CLASS */
    int case_count;
};

enum reading { READING_RUN, READING_HELP, READING_WRONG };

/* Prints the help on READING_HELP, and the error to standard error on
 * READING_WRONG. */
enum reading options_read(struct options *options, int argc, char **argv);

/* Splits PATH:CLASS into the job. Returns false, after printing an error to
 * standard error, if there is no such class or the path is too long. */
bool options_read_case(const char *word, struct job *job);

#endif
