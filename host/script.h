/*
 * script.h: runs one script from its file to its verdict.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SCRIPT_H
#define HOST_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <moat/trap.h>

#include "options.h"

/* X(name, text). */
/* clang-format off */
#define VERDICT_MAP(X)                                                         \
    X(VERDICT_OK,             "ok")                                            \
    X(VERDICT_ERROR,          "error")                                         \
    X(VERDICT_MEMORY_LIMIT,   "memory limit")                                  \
    X(VERDICT_TIME_LIMIT,     "time limit")                                    \
    X(VERDICT_STACK_OVERFLOW, "stack overflow")                                \
    X(VERDICT_FAULT,          "fault")                                         \
    X(VERDICT_LOAD_ERROR,     "load error")                                    \
    X(VERDICT_NOT_RUN,        "not run")                                       \
    X(VERDICT_INTERRUPTED,    "interrupted")
/* clang-format on */

enum verdict {
#define VERDICT_ENUM(name, text) name,
    VERDICT_MAP(VERDICT_ENUM)
#undef VERDICT_ENUM
        VERDICT_COUNT
};

/* What became of a script. Everything in it is the host's own copy. */
struct result {
    const char *file;
    size_t number; /* of the file among the arguments, from 1      */
    enum verdict verdict;
    moat_trap_kind kind; /* MOAT_TRAP_NONE unless it was trapped       */
    char *message;       /* of an error, with its traceback; else NULL */
    uint64_t wall_ns;
    uint64_t cpu_ns;
    size_t memory_peak;
    size_t stack_used;
    char *output;
    size_t output_bytes;
    size_t output_dropped;
    char *report; /* of a trap, for people; NULL with --json    */
    json_t *trap; /* of a trap, with --json; else NULL          */
    char *core;   /* of a trap: the core file's path; NULL: none     */
    const char *core_error; /* why it could not be written; NULL: it was */
};

/* Runs the script files[index] on the calling thread; never fails but by a
 * verdict. */
void script_run(const struct run_options *options, size_t index,
                struct result *result);

void result_free(struct result *result);

/* "ok", "memory limit"; "fault" is told by its trap: "null pointer access". */
const char *verdict_text(const struct result *result);

#endif
