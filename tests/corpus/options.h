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
    unsigned deadline_ms, repetitions, phases;
    bool verbose;
    char **cases; /* PATH or PATH:CLASS */
    int case_count;
};

enum reading { READING_RUN, READING_HELP, READING_WRONG };

/* READING_HELP: the help is printed; READING_WRONG: what is wrong is, on
 * standard error. */
enum reading options_read(struct options *options, int argc, char **argv);

/* Splits PATH:CLASS into the job. False: there is no such class, or the path is
 * too long; said on standard error. */
bool options_read_case(const char *word, struct job *job);

#endif
